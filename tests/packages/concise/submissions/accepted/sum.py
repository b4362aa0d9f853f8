with open("notes.txt", "w") as notes:
    notes.write(input())
with open("notes.txt") as notes:
    print(sum(map(int, notes.read().split())))
