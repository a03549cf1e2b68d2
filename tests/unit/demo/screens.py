"""Screens that can be read back."""

from __future__ import annotations

import io
import threading

from rich.console import Console

from e2e.demo.screen import Screen


class Page(io.StringIO):
    """Where a screen's output goes; `marked` is set once the text `mark` has been written."""

    def __init__(self, mark: str = "") -> None:
        super().__init__()
        self._mark = mark
        self.marked = threading.Event()

    def write(self, text: str) -> int:
        written = super().write(text)
        if self._mark and self._mark in self.getvalue():
            self.marked.set()
        return written


def plain(page: Page, width: int = 80) -> Screen:
    """A screen without a terminal."""
    return Screen(Console(file=page, width=width, force_terminal=False, highlight=False))


def terminal(page: Page, width: int = 80) -> Screen:
    """A screen on a terminal."""
    return Screen(Console(file=page, width=width, force_terminal=True, highlight=False))
