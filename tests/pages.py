"""The pages of docs/, read for the commands they show, so that tests run those and not copies of them.

Who runs a block is said in the page's source. `<!-- run by tests/integration/test_x.py -->` holds for every block of
commands from there on, until the next such mark; `<!-- not run: why -->` for the next block alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ("", "sh")
"""Languages of the fences that hold commands. Output is shown as `text`."""

_MARK = re.compile(r"<!-- (run by|not run:) (.+?) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    """Of its opening fence, from 1."""
    section: str
    """The heading it stands under."""
    language: str
    text: str
    runner: str | None = None
    """The test that runs it, as a path from the root of the repository."""
    why_not: str | None = None
    """Why nothing runs it."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str) -> tuple[Block, ...]:
    """All fenced blocks of a page, in order. `page` is a path below docs/, such as `how-to/gitops.md`."""
    return tuple(_blocks(page, (ROOT / "docs" / page).read_text()))


def commands(page: str) -> tuple[Block, ...]:
    """Those that hold commands."""
    return tuple(block for block in blocks(page) if block.language in COMMANDS)


def _blocks(page: str, source: str) -> Iterator[Block]:
    section, runner, why_not = "", None, None
    lines = iter(enumerate(source.splitlines(keepends=True), 1))
    for number, line in lines:
        if line.startswith("#"):
            section = line.lstrip("#").strip()
        elif mark := _MARK.match(line):
            if mark[1] == "run by":
                runner = mark[2]
            else:
                why_not = mark[2]
        elif fence := re.match(r"( *)```(\w*)\n", line):
            indent = len(fence[1])
            text = "".join(inner[indent:] if inner.strip() else "\n" for inner in _until_closed(lines))
            yield Block(page, number, section, fence[2], text, None if why_not else runner, why_not)
            if fence[2] in COMMANDS:
                why_not = None


def _until_closed(lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    for _, line in lines:
        if line.strip() == "```":
            return
        yield line


@dataclass
class Reading:
    """A page being followed by the test that runs it, from the top: every block in its turn, none left out."""

    page: str
    runner: str
    """The test's own `__file__`."""
    left: list[Block] = field(init=False)

    def __post_init__(self) -> None:
        runner = str(Path(self.runner).resolve().relative_to(ROOT))
        self.left = [block for block in commands(self.page) if block.runner == runner]
        assert self.left, f"{self.page} says of no block that it is run by {runner}"

    def section(self, heading: str) -> Iterator[Block]:
        """The blocks under a heading, which must be the next that has any. They count as run when they are taken."""
        assert self.left, f"{self.page} shows no more commands"
        assert self.left[0].section == heading, f"{self.left[0]} comes first, under {self.left[0].section!r}"
        while self.left and self.left[0].section == heading:
            yield self.left.pop(0)

    def finish(self) -> None:
        """Fails if a block was not run."""
        assert self.left == [], f"not run: {', '.join(map(str, self.left))}"
