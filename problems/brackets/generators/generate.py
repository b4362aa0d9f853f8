#!/usr/bin/python3
"""Writes data/ from a fixed seed: 120 secret cases, most of them small, some of them as large as allowed."""
import random
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"
PARTNER = {"(": ")", "[": "]", "{": "}"}


def solve(text):
    expected = []
    for position, bracket in enumerate(text):
        if bracket in PARTNER:
            expected.append(PARTNER[bracket])
        elif not expected or expected.pop() != bracket:
            return f"slip {position}"
    return "ok" if not expected else f"slip {len(text)}"


def write(name, text):
    path = DATA / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / (path.name + ".in")).write_text(text + "\n")
    (path.parent / (path.name + ".ans")).write_text(solve(text) + "\n")


def well_formed(pairs):
    text, expected, opened = [], [], 0
    while opened < pairs or expected:
        if opened < pairs and (not expected or random.random() < 0.55):
            bracket = random.choice("([{")
            text.append(bracket)
            expected.append(PARTNER[bracket])
            opened += 1
        else:
            text.append(expected.pop())
    return "".join(text)


def slip(text):
    position = random.randrange(len(text))
    other = random.choice([bracket for bracket in "()[]{}" if bracket != text[position]])
    return text[:position] + other + text[position + 1 :]


random.seed(20232)
for number, text in enumerate(["([]{})", "([)]", "(("], 1):
    write(f"sample/{number}", text)
cases = ["(", ")", "()", ")(", "[}", "{}", "[]" * 50, "(" * 50 + ")" * 50, "()" * 40 + "]"]
cases += [well_formed(random.randint(1, 60)) for _ in range(45)]
cases += [slip(well_formed(random.randint(1, 60))) for _ in range(45)]
cases += ["".join(random.choice("()[]{}") for _ in range(random.randint(1, 40))) for _ in range(16)]
cases += ["(" * 50_000 + ")" * 50_000]
cases += ["[" * 50_000 + "]" * 49_999 + ")"]
cases += ["{" * 100_000]
cases += [well_formed(50_000)]
cases += [slip(cases[-1])]
for number, text in enumerate(cases, 1):
    write(f"secret/{number:03}", text)
