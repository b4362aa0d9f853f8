# A bit is xy or yx, so that no letter stands three times in a row.
word, what = input(), input()
if word == "write":
    print("".join("yx" if int(what) >> bit & 1 else "xy" for bit in range(30)))
else:
    print(sum((what[2 * bit] == "y") << bit for bit in range(30)))
