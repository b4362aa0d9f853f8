import re
import sys

lines = sys.stdin.read().split("\n")
assert len(lines) == 2 and lines[1] == ""
assert re.fullmatch("0|[1-9][0-9]*", lines[0]) and int(lines[0]) < 2**40
sys.exit(42)
