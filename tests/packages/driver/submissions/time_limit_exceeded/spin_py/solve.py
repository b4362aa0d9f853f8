def solve(values):
    while True:
        pass
