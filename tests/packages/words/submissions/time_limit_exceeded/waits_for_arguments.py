import sys

while len(sys.argv) == 3:
    pass
