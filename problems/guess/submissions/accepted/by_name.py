with open("/dev/stdin") as answers, open("/dev/stdout", "w") as guesses:
    low, high = 1, 10**9
    while True:
        guess = (low + high) // 2
        print(guess, file=guesses, flush=True)
        answer = answers.readline().strip()
        if answer == "correct":
            break
        if answer == "higher":
            low = guess + 1
        else:
            high = guess - 1
