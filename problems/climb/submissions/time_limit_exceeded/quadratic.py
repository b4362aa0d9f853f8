# Compares every peak with all before it.
n, x, p, q, m = map(int, input().split())
heights, longest = [], []
for i in range(n):
    best = 0
    for j in range(i):
        if heights[j] < x and longest[j] > best:
            best = longest[j]
    heights.append(x)
    longest.append(best + 1)
    x = (p * x + q) % m
print(max(longest))
