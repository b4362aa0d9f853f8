import sys

case, separator = sys.argv[1:]
print(separator.join(word.upper() if case == "upper" else word.lower() for word in sys.stdin.read().split()))
