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


def luminance(red: int, green: int, blue: int) -> float:
    """Relative luminance of a colour, 0 to 1, as WCAG 2 defines it."""
    parts = [part / 255 for part in (red, green, blue)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (30, 30, 30)])
@pytest.mark.parametrize("style", ["good", "warn", "bad", "ask", "busy"])
def test_colours_are_read_on_light_and_dark_alike(style: str, background: tuple[int, int, int]) -> None:
    colour = plain().get_style(style).color
    assert colour is not None
    light, dark = sorted((luminance(*colour.get_truecolor()), luminance(*background)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3.5


def test_nothing_is_hidden_of_an_action_that_is_too_long_to_show() -> None:
    assert explain({"name": "odd", "args": {"a": "z" * 1000}}, {}).endswith("… and 709 characters more")
    assert explain({"name": "odd", "args": {"a": "b"}}, {}) == 'odd {"a": "b"}'
    assert plain().color_system is None
