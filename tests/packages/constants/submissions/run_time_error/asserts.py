n = int(input())
assert n < {{most}}
print(n * (n + 1) * (2 * n + 1) // 6 % {{modulus}})
