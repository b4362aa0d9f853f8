for _ in range(int(input())):
    print(f"{sum(map(int, input().split())):+}")
