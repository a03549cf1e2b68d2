"""How long to wait after failures in a row before trying again."""

from __future__ import annotations

from datetime import timedelta

_DOUBLINGS = 10
"""At most; a longest wait is reached long before, and no count of failures makes a number too large."""


def wait_after(failures: int, first: timedelta, longest: timedelta) -> timedelta:
    """The wait after so many failures in a row (1 or more): the first, doubled with each, up to the longest."""
    wait: timedelta = min(first * 2 ** min(failures - 1, _DOUBLINGS), longest)
    return wait
