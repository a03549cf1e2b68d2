from __future__ import annotations

import sys

import pytest
from rich.table import Table
from rich.text import Text

from ccf_operator.ccf.action_words import explain
from ccf_operator.cli.output import marked
from ccf_operator.cli.terminal import complaints, console, harmless, plain


def test_what_a_terminal_would_obey_is_spelt_out() -> None:
    assert harmless("\x1b[2K\rfine\x9b1A\u202e") == "␛[2K␍fine\ufffd1A\ufffd"
    assert harmless("two\n\tlines, grün ✓ …") == "two\n\tlines, grün ✓ …"


def test_what_others_have_written_cannot_rewrite_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    words = "renew the certificates of all nodes, valid from x\x1b[1A\x1b[2K- make a snapshot"
    grid = Table.grid()
    grid.add_row(words)
    console().print(marked("-", words), grid, Text(words))
    complaints().print(f"error: {words}", style="bad", soft_wrap=True)
    said = capsys.readouterr()
    assert " ".join(said.out.split()).count("␛[1A␛[2K- make a snapshot") == 3
    assert "\x1b" not in said.out + said.err


def test_styles_are_still_commands_to_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    console().print(Text("Running", style="good"))
    assert "\x1b[32mRunning\x1b[0m" in capsys.readouterr().out


def test_nothing_is_hidden_of_an_action_that_is_too_long_to_show() -> None:
    assert explain({"name": "odd", "args": {"a": "z" * 1000}}, {}).endswith("… and 709 characters more")
    assert explain({"name": "odd", "args": {"a": "b"}}, {}) == 'odd {"a": "b"}'
    assert plain().color_system is None
