import sys
from math import sqrt

r, n, *heights = sys.stdin.read().split()
for h in map(float, heights):
    print(sqrt(h * (2 * float(r) + h)))
