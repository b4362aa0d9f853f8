# Walks along the line of sight in steps of a micrometre.
import sys

r, n, *heights = sys.stdin.read().split()
for h in map(float, heights):
    steps = 0
    while (steps * 1e-6) ** 2 < h * (2 * float(r) + h):
        steps += 1
    print(steps * 1e-6)
