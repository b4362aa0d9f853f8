# Does not ask whether anything is open.
partner = {"(": ")", "[": "]", "{": "}"}
text = input()
expected = []
for position, bracket in enumerate(text):
    if bracket in partner:
        expected.append(partner[bracket])
    elif expected.pop() != bracket:
        print("slip", position)
        break
else:
    print("ok" if not expected else f"slip {len(text)}")
