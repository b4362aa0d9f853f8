# Never flushes, so that both wait for each other.
import sys

sys.stdout.write("500000000\n")
sys.stdin.readline()
