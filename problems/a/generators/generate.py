#!/usr/bin/python3
"""Writes data/: the cases by hand that a solution is likely to forget, and their answers."""
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"
SAMPLES = [("1", 1, 2), ("2", -5, 3)]
SECRET = [
    ("zero", 0, 0),
    ("small", 17, 25),
    ("negative", -17, -25),
    ("opposite", -123456789, 123456789),
    ("int-max", 2**31 - 1, 1),
    ("int-min", -(2**31), -1),
    ("unsigned-max", 2**32 - 1, 2**32 - 1),
    ("beyond-double", 2**53, 1),
    ("largest", 10**18, 10**18),
    ("smallest", -(10**18), -(10**18)),
    ("far-apart", -(10**18), 10**18),
    ("odd-digits", 999999999999999989, -123456789012345678),
]


def write(name, a, b):
    (DATA / f"{name}.in").write_text(f"{a} {b}\n")
    (DATA / f"{name}.ans").write_text(f"{a + b}\n")


for directory in ["sample", "secret"]:
    (DATA / directory).mkdir(parents=True, exist_ok=True)
for name, a, b in SAMPLES:
    write(f"sample/{name}", a, b)
for number, (name, a, b) in enumerate(SECRET, 1):
    write(f"secret/{number:02}-{name}", a, b)
