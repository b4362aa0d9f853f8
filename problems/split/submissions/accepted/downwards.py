# Another order, and another place for what is left over.
from math import isqrt

n = int(input())
k = (isqrt(8 * n + 1) - 1) // 2
left = n - k * (k + 1) // 2
# One of the largest `left` numbers each.
parts = [part + 1 if part > k - left else part for part in range(k, 0, -1)] if left <= k else []
print(k)
print(*parts, sep="\n")
