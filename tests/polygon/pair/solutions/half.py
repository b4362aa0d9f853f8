# Half right in the second group.
n = int(input())
print(1, n - 1 if n <= 10 else n - 2)
