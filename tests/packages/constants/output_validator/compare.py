import sys

# What has no place among the constants stays as it is: {{unknown}}.
assert sys.argv[4:] == ["strict"]
answer, output = open(sys.argv[2]).read().split(), sys.stdin.read().split()
if output != answer or not 0 <= int(output[0]) < {{modulus}}:
    sys.exit(43)
sys.exit(42)
