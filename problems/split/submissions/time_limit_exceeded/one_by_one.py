# Counts n down by ones.
n = int(input())
parts, part, filled = [], 1, 0
for _ in range(n):
    filled += 1
    if filled == part:
        parts.append(part)
        part, filled = part + 1, 0
parts[-1] += filled
print(len(parts))
print(*parts)
