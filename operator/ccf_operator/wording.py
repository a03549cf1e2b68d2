"""Numbers of things in the sentences people read."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 node`, `3 nodes`: of nouns that take an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
