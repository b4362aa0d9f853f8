import re
import sys

lines = sys.stdin.read().split("\n")
assert len(lines) == 3 and lines[2] == ""
assert re.fullmatch("[1-9][0-9]*", lines[0]) and int(lines[0]) <= 100000
values = lines[1].split(" ")
assert len(values) == int(lines[0])
assert all(re.fullmatch("0|-?[1-9][0-9]*", value) and abs(int(value)) <= 10**9 for value in values)
sys.exit(42)
