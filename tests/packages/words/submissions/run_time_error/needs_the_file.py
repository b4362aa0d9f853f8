import sys

case, separator = sys.argv[1:]
words = open("words.txt").read().split()
print(separator.join(word.upper() if case == "upper" else word.lower() for word in words))
