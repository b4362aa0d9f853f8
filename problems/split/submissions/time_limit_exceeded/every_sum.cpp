// Adds up every beginning anew, ten times to be sure.
#include <cstdio>

int main() {
    volatile long long n, sum = 0;
    long long given, count = 0;
    if (scanf("%lld", &given) != 1) return 1;
    n = given;
    do {
        count++;
        for (int again = 0; again < 10; again++) {
            sum = 0;
            for (long long part = 1; part <= count; part++) sum = sum + part;
        }
    } while (sum <= n);
    count--;
    printf("%lld\n", count);
    long long left = given - count * (count + 1) / 2;
    for (long long part = 1; part <= count; part++) printf("%lld ", part == count ? part + left : part);
    puts("");
}
