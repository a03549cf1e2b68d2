"""The whole story, live in the terminal: a network opens, loses its majority, and comes back with all it had committed.

`python -m e2e.demo` tells it; `python -m e2e.demo clean` removes what it left.
"""
