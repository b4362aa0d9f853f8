# Works as Ann and dies as Bob.
word, what = input(), input()
if word == "write":
    print("xy" * 30)
else:
    print([][int(what, 36)])
