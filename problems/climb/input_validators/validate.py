#!/usr/bin/python3
"""One line with the five integers."""
import re
import sys

match = re.fullmatch(rb"(?:(?:0|[1-9][0-9]{0,9}) ){4}[1-9][0-9]{0,9}\n", sys.stdin.buffer.read())
n, x, p, q, m = map(int, match.group().split()) if match else [0] * 5
sys.exit(42 if 1 <= n <= 200_000 and m <= 10**9 and 0 <= x < m and 0 <= p < m and 0 <= q < m else 43)
