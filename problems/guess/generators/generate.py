#!/usr/bin/python3
"""Writes data/. The answer is not used; it repeats the number."""
import random
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"


def write(name, number):
    path = DATA / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".in").write_text(f"{number}\n")
    path.with_suffix(".ans").write_text(f"{number}\n")


random.seed(30)
write("sample/1", 42)
for index, number in enumerate([1, 2, 10**9, 10**9 - 1, 5 * 10**8] + [random.randint(1, 10**9) for _ in range(5)], 1):
    write(f"secret/{index:02}", number)
