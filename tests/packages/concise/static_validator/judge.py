"""Judges the sources of a submission: `language entry feedback_dir/ sleep|float|length [bytes]`."""
import os
import sys

language, entry, feedback, rule, *more = sys.argv[1:]
# The submission lies in the working directory, and this program does not.
assert ".validator" in os.listdir(".") and "judge.py" not in os.listdir("."), os.listdir(".")
assert language in ("c", "cpp", "java", "python3"), language
with open(entry, "rb") as source:
    text = source.read()
if rule == "length":
    with open(feedback + "score_multiplier.txt", "w") as score:
        score.write("1" if len(text) <= int(more[0]) else "0.5")
    sys.exit(42)
if rule.encode() in text:
    with open(feedback + "judgemessage.txt", "w") as message:
        message.write(f"the word {rule} is in a source")
    sys.exit(43)
sys.exit(42)
