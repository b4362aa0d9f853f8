x = 1
while True:
    print(x, flush=True)
    if input() == "equal":
        break
    x += 1
