#!/usr/bin/python3
"""The radius and the number of eyes, then that many heights."""
import re
import sys
from decimal import Decimal

lines = sys.stdin.buffer.read().split(b"\n")
first = re.fullmatch(rb"([1-9][0-9]{0,8}) ([1-9][0-9]{0,4})", lines[0])
ok = bool(first) and int(first[1]) <= 10**8 and int(first[2]) <= 10_000
ok = ok and len(lines) == int(first[2]) + 2 and lines[-1] == b""
for line in lines[1:-1]:
    ok = ok and re.fullmatch(rb"(0|[1-9][0-9]*)(\.[0-9]{1,6})?", line) is not None
    ok = ok and 0 < Decimal(line.decode()) <= 10**8
sys.exit(42 if ok else 43)
