"""First pass: the postcard must be lawful; it is the input of the second. Second pass: the number must be there."""
import re
import sys
from pathlib import Path

said = sys.stdin.buffer.read(1 << 16).split()
word, number = Path(sys.argv[1]).read_text().split()
feedback = Path(sys.argv[3])


def refuse(why):
    with open(feedback / "judgemessage.txt", "a") as message:
        message.write(why + "\n")
    sys.exit(43)


if word == "write":
    if len(said) != 1 or not re.fullmatch(rb"[xy]{1,64}", said[0]):
        refuse("the postcard is not one word of 1 to 64 letters x and y")
    if b"xxx" in said[0] or b"yyy" in said[0]:
        refuse("the postman tore the postcard up")
    (feedback / "nextpass.in").write_bytes(b"read\n" + said[0] + b"\n")
    (feedback / "card").write_bytes(said[0])
    sys.exit(42)
# What the first pass left is still there, and no request for a third.
if (feedback / "card").read_text() != number or (feedback / "nextpass.in").exists():
    sys.exit(1)
if said != Path(sys.argv[2]).read_bytes().split():
    refuse(f"Bob read {b' '.join(said[:3])!r}")
sys.exit(42)
