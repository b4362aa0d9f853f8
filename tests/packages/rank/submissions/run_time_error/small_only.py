n = int(input())
assert n < 1000
x = list(map(int, input().split()))
print(sum(y <= x[0] for y in x))
