"""Waiting for what must come true, with a deadline and a reason that says what was seen last."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class NeverHappened(AssertionError):
    """What was waited for did not come true in time."""


def eventually(what: str, check: Callable[[], T | None], *, within: float, every: float = 0.2) -> T:
    """Ask `check` until it gives something true; NeverHappened after `within` seconds.

    Errors of `check` count as "not yet"; the last one is part of the message.
    """
    deadline = time.monotonic() + within
    last: object = None
    while True:
        try:
            last = found = check()
        except Exception as error:
            last, found = error, None
        if found:
            return found
        if time.monotonic() > deadline:
            raise NeverHappened(f"{what}: not within {within:g} s; last seen: {last!r}")
        time.sleep(every)


def throughout(what: str, check: Callable[[], object], *, during: float, every: float = 0.5) -> None:
    """Ask `check` again and again for `during` seconds; NeverHappened at the first time it gives something false."""
    deadline = time.monotonic() + during
    while time.monotonic() < deadline:
        seen = check()
        if not seen:
            raise NeverHappened(f"{what}: no longer true; last seen: {seen!r}")
        time.sleep(every)
