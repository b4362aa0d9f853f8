#!/usr/bin/python3
"""Writes data/ from a fixed seed. The answers are computed with 50 digits."""
import random
from decimal import Decimal, getcontext
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"
EARTH = 6_371_000
getcontext().prec = 50


def write(name, radius, heights):
    path = DATA / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".in").write_text(f"{radius} {len(heights)}\n" + "".join(f"{h}\n" for h in heights))
    answers = [(2 * Decimal(radius) * Decimal(h) + Decimal(h) ** 2).sqrt() for h in heights]
    path.with_suffix(".ans").write_text("".join(f"{answer:.9f}\n" for answer in answers))


random.seed(20231)
write("sample/1", EARTH, ["2", "30", "8848.86"])
write("sample/2", 1, ["1"])
write("secret/01-one-eye", EARTH, ["1.7"])
write("secret/02-tiny-heights", EARTH, [f"0.{i:06}" for i in range(1, 200)])
write("secret/03-tiny-heights-huge-planet", 10**8, [f"0.{i:06}" for i in range(1, 200)])
write("secret/04-tiny-planet", 1, [str(10**i) for i in range(9)])
write("secret/05-far-out", EARTH, [str(random.randint(10**6, 10**8)) for _ in range(300)])
write("secret/06-largest", 10**8, ["100000000", "99999999.999999"])
for number in range(7, 10):
    radius = random.randint(1, 10**8)
    write(f"secret/{number:02}-random", radius, [f"{10 ** random.uniform(-5, 8):.6f}" for _ in range(300)])
write("secret/10-most-eyes", EARTH, [f"{random.uniform(0.5, 9000):.2f}" for _ in range(10_000)])
