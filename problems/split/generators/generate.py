#!/usr/bin/python3
"""Writes data/. The answers of small cases are checked by trying everything."""
import random
from itertools import combinations
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"


def split(n):
    parts, part = [], 1
    while n >= part:
        parts.append(part)
        n -= part
        part += 1
    parts[-1] += n
    return parts


def most_by_trying(n):
    return max(k for k in range(1, n + 1) if any(sum(parts) == n for parts in combinations(range(1, n + 1), k)))


def write(name, n):
    path = DATA / name
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = split(n)
    assert sum(parts) == n and (n > 15 or len(parts) == most_by_trying(n))
    path.with_suffix(".in").write_text(f"{n}\n")
    path.with_suffix(".ans").write_text(f"{len(parts)}\n{' '.join(map(str, parts))}\n")


random.seed(42)
write("sample/1", 6)
write("sample/2", 8)
write("secret/01-least", 1)
for number, n in enumerate([2, 3, 4, 5, 15], 2):
    write(f"secret/{number:02}-small", n)
for number in range(7, 10):
    write(f"secret/{number:02}-random", random.randint(1000, 10**6))
write("secret/10-triangular", 44720 * 44721 // 2)
write("secret/11-one-less", 44720 * 44721 // 2 - 1)
write("secret/12-most", 10**9)
