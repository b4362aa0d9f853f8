#!/usr/bin/python3
"""The first pass: the word and the number."""
import re
import sys

match = re.fullmatch(rb"write\n(0|[1-9][0-9]{0,9})\n", sys.stdin.buffer.read())
sys.exit(42 if match and int(match[1]) <= 10**9 else 43)
