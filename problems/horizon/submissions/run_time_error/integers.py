# Expects whole metres.
import sys
from math import sqrt

r, n, *heights = map(int, sys.stdin.read().split())
for h in heights:
    print(sqrt(h * (2 * r + h)))
