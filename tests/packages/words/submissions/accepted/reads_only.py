# What a testcase brings cannot be changed, and there is nothing of other testcases.
import os
import sys

files = set(os.listdir("."))
assert files <= {os.path.basename(__file__), "words.txt"}, files
try:
    open("words.txt", "a")
    sys.exit(1)
except OSError:
    pass
case, separator = sys.argv[1:]
text = open("words.txt").read() if "words.txt" in files else sys.stdin.read()
print(separator.join(word.upper() if case == "upper" else word.lower() for word in text.split()))
