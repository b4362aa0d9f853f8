# Bob has no memory of Ann: a file that she wrote is not there any more, where she could write one at all.
word, what = input(), input()
if word == "write":
    try:
        open("note", "w").write(what)
    except OSError:
        pass
    print("xy")
else:
    try:
        print(open("note").read())
    except OSError:
        print(0)
