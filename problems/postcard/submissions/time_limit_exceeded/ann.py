# Never ends as Ann.
while True:
    pass
