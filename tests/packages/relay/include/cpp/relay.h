#pragma once
#include <string>
std::string encode(long long number);
long long decode(const std::string &word);
