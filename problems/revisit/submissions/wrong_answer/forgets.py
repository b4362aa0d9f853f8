# Finds the number and hands nothing on: wrong on the second visit.
words = input().split()
if words[0] == "first":
    print("! nothing"[:7], flush=True)
else:
    print("! 1000000", flush=True)
