#!/usr/bin/python3
"""Writes data/ from a fixed seed. Small answers are checked against the definition."""
import random
from bisect import bisect_left
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"


def heights(n, x, p, q, m):
    for _ in range(n):
        yield x
        x = (p * x + q) % m


def solve(case):
    lowest_ends = []
    for x in heights(*case):
        index = bisect_left(lowest_ends, x)
        lowest_ends[index : index + 1] = [x]
    return len(lowest_ends)


def by_definition(case):
    xs, best = list(heights(*case)), []
    for i, x in enumerate(xs):
        best.append(1 + max((best[j] for j in range(i) if xs[j] < x), default=0))
    return max(best)


def write(name, *case):
    path = DATA / name
    path.parent.mkdir(parents=True, exist_ok=True)
    answer = solve(case)
    assert case[0] > 1000 or answer == by_definition(case)
    path.with_suffix(".in").write_text(" ".join(map(str, case)) + "\n")
    path.with_suffix(".ans").write_text(f"{answer}\n")


random.seed(20233)
write("sample/1", 8, 3, 5, 1, 11)
write("sample/2", 5, 1, 1, 1, 100)
write("secret/01-single", 1, 0, 0, 0, 1)
write("secret/02-level", 1000, 7, 1, 0, 10)
write("secret/03-rising", 1000, 0, 1, 1, 10**9)
write("secret/04-falling", 1000, 10**9 - 1, 1, 10**9 - 1, 10**9)
write("secret/05-few-heights", 1000, 1, 3, 1, 7)
for number in range(6, 12):
    m = random.choice([10, 100, 1000, 10**6, 10**9])
    write(f"secret/{number:02}-random", random.randint(2, 1000), *(random.randrange(m) for _ in range(3)), m)
write("secret/12-most-rising", 200_000, 0, 1, 1, 10**9)
write("secret/13-most-falling", 200_000, 10**9 - 1, 1, 10**9 - 1, 10**9)
write("secret/14-most-waves", 200_000, 0, 1, 7919, 10**6)
write("secret/15-most-random", 200_000, 12345, 16807, 0, 999_999_937)
write("secret/16-most-random-repeats", 200_000, 1, 1103515245 % 9973, 12345 % 9973, 9973)
