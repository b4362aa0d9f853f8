import re
import sys

line = sys.stdin.read()
assert re.fullmatch("[1-9][0-9]*\n", line) and 4 <= int(line) <= 10**6
sys.exit(42)
