# Climbs every peak that is higher than the last one climbed.
n, x, p, q, m = map(int, input().split())
last, count = -1, 0
for _ in range(n):
    if x > last:
        last, count = x, count + 1
    x = (p * x + q) % m
print(count)
