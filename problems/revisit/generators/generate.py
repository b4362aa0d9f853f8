"""Writes data/secret: the bounds and random numbers. The answers are empty."""
import random
from pathlib import Path

random.seed(5)
secret = Path(__file__).parent.parent / "data/secret"
for index, number in enumerate([1, 2, 10**6, 10**6 - 1, 500000] + [random.randint(1, 10**6) for _ in range(5)], 1):
    (secret / f"{index:02}.in").write_text(f"{number}\n")
    (secret / f"{index:02}.ans").write_text("")
