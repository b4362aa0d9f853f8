# Waits for an answer that never comes.
input()
input()
