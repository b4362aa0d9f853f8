# Plain binary: the postman tears it up, in the first pass.
word, what = input(), input()
if word == "write":
    print(format(int(what), "b").replace("0", "x").replace("1", "y"))
else:
    print(int(what.replace("x", "0").replace("y", "1"), 2))
