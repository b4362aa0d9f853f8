# @EXPECTED_RESULTS@: WRONG_ANSWER, TIME_LIMIT_EXCEEDED
n = int(input())
x = list(map(int, input().split()))
if min(x) < 0:
    print("no idea")
elif n > 1000:
    while True:
        pass
else:
    print(sum(y <= x[0] for y in x))
