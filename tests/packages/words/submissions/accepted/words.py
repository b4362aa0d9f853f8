import os
import sys

case, separator = sys.argv[1:]
text = open("words.txt").read() if os.path.exists("words.txt") else sys.stdin.read()
words = [word.upper() if case == "upper" else word.lower() for word in text.split()]
print(separator.join(words))
