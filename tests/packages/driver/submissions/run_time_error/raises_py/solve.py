def solve(values):
    raise ValueError("no sum")
