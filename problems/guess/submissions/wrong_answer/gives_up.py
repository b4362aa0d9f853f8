# Ends after one guess.
print(500, flush=True)
