#!/usr/bin/python3
"""The number of integers, then the integers; with `small` all their partial sums fit into 32 bits."""
import re
import sys

lines = sys.stdin.read().split("\n")
number = re.compile(r"0|-?[1-9][0-9]*")
ok = len(lines) == 3 and lines[2] == "" and all(number.fullmatch(word) for line in lines[:2] for word in line.split(" "))
if ok:
    count, numbers = int(lines[0]), list(map(int, lines[1].split(" ")))
    ok = 1 <= count <= 1000 and len(numbers) == count and all(abs(one) <= 10**12 for one in numbers)
    total = 0
    for one in numbers if ok else []:
        total += one
        ok = ok and ("small" not in sys.argv[1:] or abs(total) < 2**31)
sys.exit(42 if ok else 43)
