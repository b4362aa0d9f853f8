#!/usr/bin/python3
"""Writes the testcases of the package that it lies in."""
import pathlib
import random

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"


def case(name, numbers):
    path = DATA / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".in").write_text(f"{len(numbers)}\n{' '.join(map(str, numbers))}\n")
    path.with_suffix(".ans").write_text(f"{sum(numbers)}\n")


random.seed(7)
case("sample/1", [1, 2, 3])
case("secret/1/01", [5])
case("secret/1/02", [-7, 7, -9])
case("secret/1/03", [random.randint(-(10**6), 10**6) for _ in range(1000)])
case("secret/2/01", [4, -4, 11])
case("secret/2/02", [2**31 - 1, 1])
case("secret/2/03", [random.randint(-(10**12), 10**12) for _ in range(1000)])
case("secret/2/04", [10**12] * 1000)
