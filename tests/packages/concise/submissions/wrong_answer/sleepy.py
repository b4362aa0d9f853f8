import time
time.sleep(0.01)
print(sum(map(int, input().split())))
