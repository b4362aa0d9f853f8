import os
import sys

text = sys.stdin.read()
assert sys.argv[1] == "checked" and sys.argv[2] in ("upper", "lower") and len(sys.argv) == 4
assert (text == "") == os.path.exists("words.txt")
sys.exit(42)
