"""How fast a lost network is open again: the operator against a script that has nothing to decide."""
