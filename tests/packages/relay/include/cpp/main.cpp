#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include "relay.h"

// What `say` gives in a process of its own.
template <typename Say> std::string apart(Say say) {
    int ends[2];
    if (pipe(ends) != 0) { perror("pipe"); exit(8); }
    pid_t child = fork();
    if (child < 0) { perror("fork"); exit(8); }
    if (child == 0) {
        std::string said = say();
        _exit(write(ends[1], said.data(), said.size()) == (ssize_t)said.size() ? 0 : 1);
    }
    close(ends[1]);
    std::string said(100, ' ');
    ssize_t count = read(ends[0], &said[0], said.size());
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (count < 0 || status != 0) exit(9);
    said.resize(count);
    return said;
}

int main() {
    long long number;
    if (scanf("%lld", &number) != 1) return 1;
    std::string word = apart([&] { return encode(number); });
    if (word.size() > 40 || word.find_first_not_of("ab") != std::string::npos) return 2;
    printf("%s\n", apart([&] { return std::to_string(decode(word)); }).c_str());
}
