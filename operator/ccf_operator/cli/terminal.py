"""Where output goes: coloured on a terminal, plain and 80 columns wide elsewhere."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text
from rich.theme import Theme

_STYLES = {
    "head": "bold",
    "title": "bold underline",
    "good": "color(28)",
    "warn": "color(166)",
    "bad": "bold color(196)",
    "ask": "bold color(164)",
    "busy": "color(31)",
    "command": "bold",
}
"""Colours that are read on black as well as on white: a terminal's own yellow and green are not on a light one."""


_PADDING = re.compile(r"[ \t]+(?=\n)")
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """The text with a picture in place of each character that a terminal would obey (commands, changes of direction).

    What others have written, such as the arguments of a proposal, must not be able to rewrite what is shown."""
    return _COMMANDS.sub(_picture, text)


def _picture(found: re.Match[str]) -> str:
    code = ord(found.group())
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"


class _Careful(Console):
    """A console on which nothing that is printed is a command to the terminal but its own styles."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        # Texts are made harmless before they are laid out: longer than they were measured, they would be cropped.
        if isinstance(renderable, str):
            renderable = harmless(renderable)
        elif isinstance(renderable, Text) and _COMMANDS.search(renderable.plain):
            renderable = renderable.copy()
            renderable.plain = harmless(renderable.plain)
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(harmless(segment.text), segment.style)


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
        return _console()
    trimmed: TextIO = _Trimmed(sys.stdout)  # type: ignore[assignment]
    return _console(file=trimmed)


def plain(width: int = 100) -> Console:
    """Text without colours, to be kept."""
    return _console(width=width, color_system=None)


def complaints() -> Console:
    """The error stream."""
    return _console(file=sys.stderr)


def _console(**options: Any) -> Console:
    return _Careful(theme=Theme(_STYLES), highlight=False, emoji=False, markup=False, **options)
