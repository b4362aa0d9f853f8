# Reads every beginning of the text from the start again.
partner = {"(": ")", "[": "]", "{": "}"}


def left_over(text):
    expected = []
    for bracket in text:
        if bracket in partner:
            expected.append(partner[bracket])
        elif not expected or expected.pop() != bracket:
            return None
    return expected


text = input()
length = 0
while length < len(text) and left_over(text[: length + 1]) is not None:
    length += 1
print("ok" if left_over(text) == [] else f"slip {length}")
