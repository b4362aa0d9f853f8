#define MODULUS {{modulus}}LL
