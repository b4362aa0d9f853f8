import sys


def is_wanted(number):
    return number == 1 or number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


wanted = int(open(sys.argv[1]).read())
words = sys.stdin.read().split()
try:
    one, other = map(int, words)
except ValueError:
    open(sys.argv[3] + "judgemessage.txt", "w").write("not two numbers")
    sys.exit(43)
sys.exit(42 if one + other == wanted and is_wanted(one) and is_wanted(other) else 43)
