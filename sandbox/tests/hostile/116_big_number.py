"""Asks for a number that fits nowhere."""
print(9**9**9**9)
