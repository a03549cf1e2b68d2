"""Texts made fit for a terminal line."""

from __future__ import annotations

import re
import textwrap

_LONG_HEX = re.compile(r"\b[0-9a-f]{32,}\b")


def shorten(text: str) -> str:
    """The text with node ids, key fingerprints and digests cut to their first eight characters."""
    return _LONG_HEX.sub(lambda found: f"{found.group()[:8]}…", " ".join(text.split()))


def fold(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters; a longer word (a name, an address) stays whole on a line of its own."""
    return textwrap.wrap(text, max(width, 1), break_long_words=False, break_on_hyphens=False) or [""]


def seconds(duration: float) -> str:
    """A duration for people: `4.2 s`, `2 min 05 s`."""
    if duration < 60:
        return f"{duration:.1f} s"
    minutes, left = divmod(round(duration), 60)
    return f"{minutes} min {left:02d} s"
