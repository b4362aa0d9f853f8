"""Prints what depends on the seed of string hashing."""
print(hash("assize"), list({"a", "b", "c", "d", "e", "f", "g"}))
