"""The same answer for people and for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ccf_operator.cli.options import Format
from ccf_operator.cli.service import Check, Finding
from ccf_operator.cli.terminal import complaints, console


def write(document: Any, form: Format) -> None:
    """A JSON-like document on the standard output, as JSON or YAML."""
    if form is Format.YAML:
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, explicit_start=True)
    else:
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    print(text, end="", flush=True)


def for_people(form: Format) -> Console:
    """Where words for people go: to the error stream, if the standard output is for a program."""
    return console() if form is Format.TEXT else complaints()


def checks(found: tuple[Check, ...]) -> RenderableType:
    """What was looked at, one line each."""
    marks = {Finding.GOOD: ("✓", "good"), Finding.DOUBT: ("!", "warn"), Finding.BAD: ("✗", "bad")}
    lines = [(*marks[one.finding], one) for one in found]
    return titled(
        "Checked",
        *(marked(mark, Text(one.what, style="" if mark == "✓" else style), style) for mark, style, one in lines),
    )


def marked(mark: str, text: str | Text, style: str = "") -> RenderableType:
    """A line behind a mark; where it is longer than the screen is wide, it goes on below its own beginning."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(mark, style=style), text)
    return grid


@dataclass(frozen=True)
class Commands:
    """Commands to copy, each with what it is for: never cut nor broken into lines, however long."""

    commands: tuple[tuple[str, str], ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widest = max((len(command) for command, _ in self.commands), default=0)
        beside = all(_INDENT + widest + 2 + len(purpose) <= options.max_width for _, purpose in self.commands)
        for command, purpose in self.commands:
            line = Text(" " * _INDENT, no_wrap=True, overflow="ignore").append(command, style="command")
            if beside:
                yield line.append(f"{' ' * (widest - len(command) + 2)}{purpose}", style="dim")
            else:
                yield line
                yield Padding(Text(purpose, style="dim"), (0, 0, 0, _INDENT + 4))


_INDENT = 4


def titled(title: str, *parts: RenderableType) -> RenderableType:
    """A section: a heading and what belongs to it, indented."""
    inside = (part if isinstance(part, Commands) else Padding(part, (0, 0, 0, 2)) for part in parts)
    return Group(Text(title, style="title"), *inside)


def facts(pairs: list[tuple[str, RenderableType]]) -> RenderableType:
    """Names and values in two columns."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(name, value)
    return grid


Cell = str | Text


class Rows:
    """A table as kubectl draws it. Where it is too wide, names lose the network's name that they all begin with, and
    machines their domains, each leaving a `…`; what is then still too wide is folded, never cut."""

    def __init__(self, *headings: str, network: str = "") -> None:
        self._headings = headings
        self._network = network
        self._rows: list[tuple[Cell, ...]] = []

    def add(self, *cells: Cell) -> None:
        self._rows.append(cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        whole = self._table(self._rows)
        fits = Measurement.get(console, options.update(max_width=_ANY_WIDTH), whole).maximum <= options.max_width
        yield whole if fits else self._table([tuple(map(self._shorten, self._headings, row)) for row in self._rows])

    def _table(self, rows: list[tuple[Cell, ...]]) -> Table:
        made = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, pad_edge=False, header_style="dim")
        for heading in self._headings:
            made.add_column(heading if heading == "TxID" else heading.upper(), overflow="fold")
        for row in rows:
            made.add_row(*row)
        return made

    def _shorten(self, heading: str, cell: Cell) -> Cell:
        plain = str(cell)
        if heading == "machine" and "." in plain:
            return f"{plain.partition('.')[0]}.…"
        if self._network and plain.startswith(f"{self._network}-"):
            return "…" + cell[len(self._network) :] if isinstance(cell, str) else _after(cell, len(self._network))
        return cell


_ANY_WIDTH = 1000


def _after(text: Text, length: int) -> Text:
    return Text("…").append_text(text[length:])


@dataclass(frozen=True)
class Steps:
    """Short texts in a row, broken into lines between them only."""

    steps: tuple[str, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line = ""
        for step in self.steps:
            longer = f"{line} · {step}" if line else step
            if line and cell_len(longer) > options.max_width:
                yield Text(line, style="dim")
                longer = f"· {step}"
            line = longer
        if line:
            yield Text(line, style="dim")


def say(console: Console, *parts: RenderableType) -> None:
    """Print sections with an empty line after each."""
    for part in parts:
        console.print(part, crop=False)
        console.print()


@dataclass(frozen=True)
class Fitted:
    """As much of something as a screen holds; where that is not all, the last line says so."""

    inside: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self.inside, options.update(height=None), pad=False)
        height = options.height or options.size.height
        hidden = len(lines) - height + 1
        shown = lines if len(lines) <= height else lines[: height - 1]
        for number, line in enumerate(shown):
            yield from line
            if number < height - 1:
                yield Segment.line()
        if len(lines) > height:
            yield Text(f"… {hidden} more lines: make the window higher, or leave --watch out", style="dim", end="")
