"""How the story looks: lines with a time and a speaker; while something is waited for, a live part on a terminal and a
plain line now and then elsewhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from e2e.demo.board import Board
from e2e.demo.news import Tone
from e2e.demo.timeline import Step, Who, bar
from e2e.demo.words import fold, seconds, shorten

TIME, MARGIN = 9, 18
"""Columns of a line: of its time; of its time and speaker."""
HEARTBEAT = 10.0
"""Seconds between two signs of life where nothing can be redrawn."""
STEP = 57
"""Columns of a line of the time line before its bar."""

_TONES = {Tone.PLAIN: "", Tone.GOOD: "color(28)", Tone.BAD: "bold red", Tone.ASK: "color(166)"}
_SPEAKERS = {"operator": "cyan", "client": "green", "fault": "bold red", "kubectl": "blue"}
_BARS = {Who.OPERATOR: "cyan", Who.MEMBERS: "magenta", Who.CLIENT: "green"}


class Wait(Protocol):
    """Something that is being waited for."""

    def show(self, detail: str, board: Board | None = None) -> None:
        """What is seen at the moment."""


class Screen:
    """Prints the story to a console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._chapters = 0

    @property
    def width(self) -> int:
        return self._console.width

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self._chapters += 1
        self._console.print()
        self._console.rule(Text(f"{self._chapters}. {title}", style="bold"), align="left")

    def say(self, speaker: str, text: str, tone: Tone = Tone.PLAIN) -> None:
        """A line of the story; long ids are cut."""
        lead = text[: len(text) - len(text.lstrip())]
        lines = fold(shorten(text), self.width - MARGIN - len(lead))
        line = Text(f"{self._elapsed():>{TIME - 2}}  ", style="dim", end="")
        line.append(f"{speaker:<{MARGIN - TIME}}", style=f"not dim {_SPEAKERS.get(speaker, 'magenta')}")
        for number, part in enumerate(lines):
            indent = lead if number == 0 else "\n" + " " * MARGIN + lead
            line.append(indent + part, style=f"not dim {_TONES[tone]}")
        self._print(line)

    def text(self, text: str) -> None:
        """A paragraph between the lines."""
        for line in fold(text, self.width):
            self._print(Text(line))

    def command(self, command: str) -> None:
        """Something to type: never cut or folded."""
        self._print(Text(f"  {command}", style="bold"))

    def board(self, board: Board) -> None:
        """A table that stays."""
        self._console.print(_indented(_table(board), TIME))

    def steps(self, steps: Sequence[Step]) -> None:
        """A time line: what, whose, from when, how long, and a bar."""
        total = max((step.end for step in steps), default=0.0)
        table = Table(box=None, padding=(0, 1), pad_edge=False)
        for heading, justify in (("step", "left"), ("by", "left"), ("from", "right"), ("took", "right"), ("", "left")):
            table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
        for step in steps:
            begin, length = bar(step, total, max(self.width - STEP, 8))
            drawn = Text(" " * begin + self._block * length, style=_BARS[step.who])
            table.add_row(step.title, step.who.value, f"+{step.begin:.1f}", seconds(step.took), drawn)
        self._console.print(_indented(table, 2))

    @contextmanager
    def waiting(self, what: str) -> Iterator[Wait]:
        """Show that something is waited for, until the context ends."""
        if self._console.is_terminal:
            spinner = "dots" if self._unicode else "line"
            shown = _Shown(what, spinner, self.width)
            with Live(shown, console=self._console, refresh_per_second=8, transient=True):
                yield shown
        else:
            with self.heartbeat(what) as wait:
                yield wait

    @contextmanager
    def heartbeat(self, what: str, every: float = HEARTBEAT) -> Iterator[Wait]:
        """Say in a plain line, every so many seconds, that something is still waited for."""
        beat = _Heartbeat(what, every, lambda line: self.say("", line))
        beat.start()
        try:
            yield beat
        finally:
            beat.stop()

    @property
    def _unicode(self) -> bool:
        return self._console.encoding.startswith("utf")

    @property
    def _block(self) -> str:
        return "█" if self._unicode else "#"

    def _elapsed(self) -> str:
        minutes, left = divmod(time.monotonic() - self._began, 60)
        return f"{int(minutes)}:{left:04.1f}"

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True, highlight=False)


class _Shown:
    """The live part: what is waited for, for how long, what is seen, and a table."""

    def __init__(self, what: str, spinner: str, width: int) -> None:
        self._what, self._width = what, width
        self._spinner = Spinner(spinner)
        self._began = time.monotonic()
        self._detail = ""
        self._board: Board | None = None

    def show(self, detail: str, board: Board | None = None) -> None:
        self._detail, self._board = detail, board

    def __rich__(self) -> RenderableType:
        waited = seconds(time.monotonic() - self._began)
        self._spinner.update(text=Text(f"{self._what} ({waited})", style="bold", no_wrap=True, overflow="ellipsis"))
        parts: list[RenderableType] = []
        if self._board is not None and self._board.rows:
            parts.append(_table(self._board))
        parts.append(self._spinner)
        if self._detail:
            lines = fold(shorten(self._detail), self._width - MARGIN)[:3]
            parts.append(Text("\n".join(lines), style="dim"))
        return _indented(Group(*parts), TIME)


class _Heartbeat:
    """A thread that says now and then what is still waited for; it ends with the wait."""

    def __init__(self, what: str, every: float, say: Callable[[str], None]) -> None:
        self._what, self._every, self._say = what, every, say
        self._detail = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._began = time.monotonic()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def show(self, detail: str, board: Board | None = None) -> None:
        self._detail = (board.unfinished if board is not None else "") or detail

    def _beat(self) -> None:
        while not self._over.wait(self._every):
            waited = seconds(time.monotonic() - self._began)
            detail = f": {self._detail}" if self._detail else ""
            self._say(f"… {self._what}{detail} ({waited})")


def _table(board: Board) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    for heading in board.headings:
        table.add_column(heading, no_wrap=True)
    for row in board.rows:
        table.add_row(*row)
    return table


def _indented(renderable: RenderableType, columns: int) -> Padding:
    return Padding(renderable, (0, 0, 0, columns), expand=False)
