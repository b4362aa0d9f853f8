import sys

lines = sys.stdin.read().split("\n")
n, numbers = int(lines[0]), lines[1].split(" ")
sys.exit(42 if len(numbers) == n and lines[2:] == [""] else 43)
