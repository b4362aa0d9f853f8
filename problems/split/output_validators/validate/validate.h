// What a validator of this package says and how it ends.
#pragma once
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

inline std::string feedback;

[[noreturn]] inline void judge(int code, const std::string& message) {
    std::ofstream(feedback + "judgemessage.txt") << message << '\n';
    std::exit(code);
}
[[noreturn]] inline void accept(const std::string& message) { judge(42, message); }
[[noreturn]] inline void refuse(const std::string& message) { judge(43, message); }
