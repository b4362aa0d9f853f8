input()
total = sum(map(int, input().split()))
while abs(total) >= 2**31:
    pass
print(total)
