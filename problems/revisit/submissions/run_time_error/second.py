# Crashes on the second visit.
words = input().split()
if words[0] == "first":
    print("! a", flush=True)
else:
    raise SystemExit(3)
