int main(int argc, char **) {
    volatile int count = argc;
    while (count == 3) {
    }
}
