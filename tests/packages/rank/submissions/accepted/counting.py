input()
x = list(map(int, input().split()))
print(sum(y <= x[0] for y in x))
