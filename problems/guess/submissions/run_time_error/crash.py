# Takes the answer for a number.
print(10**8, flush=True)
print(int(input()), flush=True)
