n, count = int(input()), 0
for i in range(n * {{most}}):
    count += 1
print(n * (n + 1) * (2 * n + 1) // 6 % {{modulus}})
