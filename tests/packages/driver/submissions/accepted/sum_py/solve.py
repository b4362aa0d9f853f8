def solve(values):
    # Files for every language lie beside the program when it runs.
    assert len(values) <= int(open("limits.txt").read())
    return sum(values)
