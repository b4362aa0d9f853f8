// A small library with the interface of testlib (https://github.com/MikeMirzayanov/testlib), for the packages beside it:
// the same names, exit codes and reading of arguments, as far as those packages use them. Not testlib itself.
#pragma once
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <string>

enum TResult { _ok = 0, _wa = 1, _pe = 2, _fail = 3, _points = 7, _partially = 16 };
inline TResult _pc(int part) { return TResult(_partially + part); }

[[noreturn]] inline void halt(TResult result, const std::string &message) {
    static const char *words[] = {"ok", "wrong answer", "wrong output format", "FAIL"};
    if (result >= _partially) std::fprintf(stderr, "partially correct (%d) %s\n", result - _partially, message.c_str());
    else if (result == _points) std::fprintf(stderr, "points %s\n", message.c_str());
    else std::fprintf(stderr, "%s %s\n", words[result], message.c_str());
    std::exit(result >= _partially ? result - _partially : int(result));
}

struct InStream {
    std::istream *stream = nullptr;
    std::ifstream file;
    bool is_strict = false;
    TResult misread = _fail;

    void open(const char *path, TResult how) {
        file.open(path);
        stream = &file;
        misread = how;
        if (!file) halt(_fail, std::string("no file ") + path);
    }
    std::string readToken() {
        std::string token;
        if (is_strict) {
            while (stream->peek() > ' ') token += char(stream->get());
        } else {
            *stream >> token;
        }
        if (token.empty()) halt(misread, "Unexpected end of file - token expected");
        return token;
    }
    std::string readWord() { return readToken(); }
    long long readLong() {
        std::string token = readToken();
        long long value = 0;
        try {
            value = std::stoll(token);
        } catch (...) {
        }
        if (std::to_string(value) != token) halt(misread, "Expected integer, but \"" + token + "\" found");
        return value;
    }
    long long readLong(long long low, long long high, const char * = "") {
        long long value = readLong();
        if (value < low || value > high) halt(misread == _pe ? _wa : _fail, "Integer violates the range");
        return value;
    }
    int readInt() { return int(readLong()); }
    int readInt(int low, int high, const char *name = "") { return int(readLong(low, high, name)); }
    void readSpace() { if (stream->get() != ' ') halt(misread, "Expected space"); }
    void readEoln() { if (stream->get() != '\n') halt(misread, "Expected EOLN"); }
    void readEof() { if (stream->get() != EOF) halt(misread, "Expected EOF"); }
    bool seekEof() {
        *stream >> std::ws;
        return stream->eof() || stream->peek() == EOF;
    }
};

inline InStream inf, ouf, ans;
inline std::ofstream tout;
inline bool checks_rest = false;

inline std::string format_of(const char *format, va_list arguments) {
    char text[4096];
    std::vsnprintf(text, sizeof text, format, arguments);
    return text;
}

[[noreturn]] inline void quitf(TResult result, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::string message = format_of(format, arguments);
    if (result == _ok && checks_rest && !ouf.seekEof()) halt(_pe, "Extra information in the output file");
    halt(result, message);
}

[[noreturn]] inline void quitp(double points, const char *message = "") {
    std::ostringstream text;
    text << points << " " << message;
    halt(_points, text.str());
}

[[noreturn]] inline void quitpi(const std::string &points_info) { halt(_points, "points_info=" + points_info); }

inline void setName(const char *, ...) {}

inline void registerTestlibCmd(int argc, char **argv) {
    if (argc < 4) halt(_fail, "input output answer");
    inf.open(argv[1], _fail);
    ouf.open(argv[2], _pe);
    ans.open(argv[3], _fail);
    checks_rest = true;
}

inline void registerInteraction(int argc, char **argv) {
    if (argc < 3) halt(_fail, "input output [answer]");
    inf.open(argv[1], _fail);
    tout.open(argv[2]);
    ouf.stream = &std::cin;
    ouf.misread = _pe;
}

inline void registerValidation(int, char **) {
    inf.stream = &std::cin;
    inf.is_strict = true;
}

struct Random {
    std::mt19937_64 engine;
    long long next(long long low, long long high) { return low + (long long)(engine() % (unsigned long long)(high - low + 1)); }
};
inline Random rnd;

inline void registerGen(int argc, char **argv, int) {
    unsigned long long seed = 7;
    for (int i = 1; i < argc; i++) for (char *c = argv[i]; *c; c++) seed = seed * 131 + (unsigned char)*c;
    rnd.engine.seed(seed);
}
