# A double cannot hold every sum.
a, b = map(float, input().split())
print(int(a + b))
