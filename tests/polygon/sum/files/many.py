import sys

for name in ["first", "second"]:
    with open(name, "w") as test:
        n = int(sys.argv[1])
        print(n, *(f"{i} {len(name)}" for i in range(n)), sep="\n", file=test)
