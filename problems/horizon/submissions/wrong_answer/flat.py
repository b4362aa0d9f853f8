# Leaves out the square of the height, as textbooks do for low towers.
import sys
from math import sqrt

r, n, *heights = sys.stdin.read().split()
for h in map(float, heights):
    print(sqrt(2 * float(r) * h))
