"""Fills a dictionary with numbers that all fall into one place, as integers do without any seed."""
step = (1 << 61) - 1
table = {}
for n in range(10**7):
    table[n * step] = n
