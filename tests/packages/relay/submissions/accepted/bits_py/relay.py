def encode(number):
    return format(number, "b").replace("0", "a").replace("1", "b")


def decode(word):
    return int(word.replace("a", "0").replace("b", "1"), 2)
