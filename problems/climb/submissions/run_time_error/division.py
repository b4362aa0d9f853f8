# Divides by differences of heights, and ridges can be level.
from bisect import bisect_left

n, x, p, q, m = map(int, input().split())
heights = []
for _ in range(n):
    heights.append(x)
    x = (p * x + q) % m
steepest = max((1 / (right - left) for left, right in zip(heights, heights[1:])), default=0)
lowest_ends = []
for x in heights:
    index = bisect_left(lowest_ends, x)
    lowest_ends[index : index + 1] = [x]
print(len(lowest_ends))
