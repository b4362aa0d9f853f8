# Counts positions from one.
partner = {"(": ")", "[": "]", "{": "}"}
text = input()
expected = []
for position, bracket in enumerate(text, 1):
    if bracket in partner:
        expected.append(partner[bracket])
    elif not expected or expected.pop() != bracket:
        print("slip", position)
        break
else:
    print("ok" if not expected else f"slip {len(text)}")
