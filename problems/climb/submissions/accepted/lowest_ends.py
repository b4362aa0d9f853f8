# The lowest height at which a climb of each length can end; n log n.
from bisect import bisect_left

n, x, p, q, m = map(int, input().split())
lowest_ends = []
for _ in range(n):
    index = bisect_left(lowest_ends, x)
    if index == len(lowest_ends):
        lowest_ends.append(x)
    else:
        lowest_ends[index] = x
    x = (p * x + q) % m
print(len(lowest_ends))
