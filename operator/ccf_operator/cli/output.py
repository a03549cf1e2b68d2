"""The same answer for people and for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ccf_operator.cli.options import Format
from ccf_operator.cli.service import Check, Finding


def write(document: Any, form: Format) -> None:
    """A JSON-like document on the standard output, as JSON or YAML."""
    if form is Format.YAML:
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, explicit_start=True)
    else:
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    print(text, end="", flush=True)


def checks(found: tuple[Check, ...]) -> RenderableType:
    """What was looked at, one line each."""
    marks = {Finding.GOOD: ("✓", "good"), Finding.DOUBT: ("!", "warn"), Finding.BAD: ("✗", "bad")}
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for one in found:
        mark, style = marks[one.finding]
        grid.add_row(Text(mark, style=style), Text(one.what, style="" if one.finding is Finding.GOOD else style))
    return titled("Checked", grid)


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


def table(*headings: str) -> Table:
    """A table as kubectl draws it; names are folded, never cut."""
    made = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, pad_edge=False, header_style="dim")
    for heading in headings:
        made.add_column(heading if heading == "TxID" else heading.upper(), overflow="fold")
    return made


def say(console: Console, *parts: RenderableType) -> None:
    """Print sections with an empty line after each."""
    for part in parts:
        console.print(part, crop=False)
        console.print()
