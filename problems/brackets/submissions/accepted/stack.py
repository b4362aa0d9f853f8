partner = {"(": ")", "[": "]", "{": "}"}
text = input()
expected = []
for position, bracket in enumerate(text):
    if bracket in partner:
        expected.append(partner[bracket])
    elif not expected or expected.pop() != bracket:
        print("slip", position)
        exit()
print("ok" if not expected else f"slip {len(text)}")
