input()
x = list(map(int, input().split()))
print(sum(0 <= y <= x[0] for y in x))
