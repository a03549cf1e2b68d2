"""Where output goes: coloured on a terminal, plain and 80 columns wide elsewhere."""

from __future__ import annotations

import sys

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


def console() -> Console:
    """The output people read."""
    return Console(theme=Theme(_STYLES), highlight=False, emoji=False, markup=False, soft_wrap=False)


def complaints() -> Console:
    """The error stream."""
    return Console(theme=Theme(_STYLES), highlight=False, emoji=False, markup=False, file=sys.stderr)
