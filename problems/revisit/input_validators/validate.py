#!/usr/bin/python3
"""The number of the oracle."""
import re
import sys

match = re.fullmatch(rb"([1-9][0-9]{0,6})\n", sys.stdin.buffer.read())
sys.exit(42 if match and int(match[1]) <= 10**6 else 43)
