#!/usr/bin/python3
"""One line with two integers, without leading zeros or spaces to spare."""
import re
import sys

NUMBER = rb"(?:0|-?[1-9][0-9]{0,18})"
match = re.fullmatch(NUMBER + rb" " + NUMBER + rb"\n", sys.stdin.buffer.read())
sys.exit(42 if match and all(abs(int(word)) <= 10**18 for word in match.group().split()) else 43)
