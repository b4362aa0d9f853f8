import subprocess
import sys

import relay


def apart(role, text):
    """What this program prints in another process, in which it has one role only."""
    command = [sys.executable, sys.argv[0], role]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


if len(sys.argv) > 1:
    say = {"encode": lambda: relay.encode(int(input())), "decode": lambda: relay.decode(input())}
    print(say[sys.argv[1]](), end="")
else:
    word = apart("encode", input())
    assert len(word) <= 40 and set(word) <= set("ab")
    print(apart("decode", word + "\n"))
