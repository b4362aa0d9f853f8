import re
import sys

line = sys.stdin.read()
assert re.fullmatch("[1-9][0-9]*\n", line) and int(line) <= {{most}}
sys.exit(42)
