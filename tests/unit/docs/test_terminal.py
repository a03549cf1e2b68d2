from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal import CommandFailed, Terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with Terminal(tmp_path, os.environ) as opened:
        yield opened


def test_what_a_block_sets_holds_for_the_next(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("mkdir below; cd below; export SET=there; say() { echo $1; }")
    assert terminal.run("say $SET\npwd") == f"there\n{tmp_path}/below\n"


def test_both_streams_and_unended_lines(terminal: Terminal) -> None:
    assert terminal.run("printf out; echo err >&2") == "outerr\n"
    assert terminal.run("printf more") == "more"


def test_questions_are_answered(terminal: Terminal) -> None:
    assert terminal.run("test -t 0; read first; cat <<< x; read second; echo $first$second") == "x\nyy\n"
    assert terminal.run("read again; echo $again") == "y\n"


def test_a_failure_ends_it_and_tells_what_was_printed(terminal: Terminal) -> None:
    with pytest.raises(CommandFailed, match="before"):
        terminal.run("echo before\nfalse\necho after")


@pytest.mark.parametrize("lines", ["echo begun; sleep 1000", "echo begun; sleep 1000 & wait"])
def test_what_takes_too_long_is_ended(terminal: Terminal, lines: str) -> None:
    with pytest.raises(CommandFailed, match="begun"):
        terminal.run(lines, within=0.5)
