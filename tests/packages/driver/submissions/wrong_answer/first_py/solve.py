def solve(values):
    return values[0]
