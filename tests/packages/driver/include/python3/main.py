from solve import solve

input()
print(solve(list(map(int, input().split()))))
