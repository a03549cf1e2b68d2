"""Where output goes: coloured on a terminal, plain and 80 columns wide elsewhere."""

from __future__ import annotations

import re
import sys
from typing import TextIO

from rich.console import Console
from rich.theme import Theme

_STYLES = {
    "head": "bold",
    "title": "bold underline",
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
    "ask": "bold magenta",
    "busy": "cyan",
    "command": "bold",
}
"""Colours of the terminal's own palette, so that they fit dark and light ones."""


_PADDING = re.compile(r"[ \t]+(?=\n)")


class _Trimmed:
    """A file in which no line ends with blanks."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(_PADDING.sub("", text))

    def flush(self) -> None:
        self._file.flush()


def console() -> Console:
    """The output people read."""
    if sys.stdout.isatty():
        return Console(theme=Theme(_STYLES), highlight=False, emoji=False, markup=False)
    trimmed: TextIO = _Trimmed(sys.stdout)  # type: ignore[assignment]
    return Console(theme=Theme(_STYLES), highlight=False, emoji=False, markup=False, file=trimmed)


def plain(width: int = 100) -> Console:
    """Text without colours, to be kept."""
    return Console(theme=Theme(_STYLES), highlight=False, emoji=False, markup=False, width=width, color_system=None)


def complaints() -> Console:
    """The error stream."""
    return Console(theme=Theme(_STYLES), highlight=False, emoji=False, markup=False, file=sys.stderr)
