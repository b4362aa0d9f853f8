"""Writes data/secret: the bounds, powers of two and random numbers. The answer is the number."""
import random
from pathlib import Path

random.seed(4)
numbers = [0, 1, 10**9, 2**16 - 1, 2**16, 2**29, 2**29 - 1, 0x15555555, 0x2AAAAAAA]
numbers += [random.randint(0, 10**9) for _ in range(6)]
secret = Path(__file__).parent.parent / "data/secret"
for index, number in enumerate(numbers, 1):
    (secret / f"{index:02}.in").write_text(f"write\n{number}\n")
    (secret / f"{index:02}.ans").write_text(f"{number}\n")
