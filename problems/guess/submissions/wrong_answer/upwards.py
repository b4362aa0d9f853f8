# One after the other: too many guesses. That it then fails at reading is a consequence.
guess = 0
while True:
    guess += 1
    print(guess, flush=True)
    if input() == "correct":
        break
