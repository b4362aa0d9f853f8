words = input().split()
letters = "abcdefghijklmnopqrstuvwxyz"
if words[0] == "first":
    low, high = 1, 10**6
    while low < high:
        middle = (low + high) // 2
        print("?", middle, flush=True)
        if input() == "more":
            low = middle + 1
        else:
            high = middle
    word = ""
    while low:
        low, letter = divmod(low, 26)
        word += letters[letter]
    print("!", word, flush=True)
else:
    print("!", sum(letters.index(letter) * 26**place for place, letter in enumerate(words[1])), flush=True)
