"""Commands that the documentation shows exist, with the options they are shown with."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from ccf_operator.cli.advice import advise
from ccf_operator.cli.app import app
from ccf_operator.cli.recovery_plan import plan
from unit.cli.phases import SCENES, scene

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted({*(ROOT / "docs").rglob("*.md")} - {ROOT / "docs/reference/cli.md"})
SHOWN = re.compile(r"kubectl[ -]ccf (?!is|\[)([^`\n#>|)]+?)(?=  |[`\n#>|)])")


def parse(line: str) -> None:
    """Raises if the line is not a complete command."""
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)
    while hasattr(command, "commands"):
        assert words[0] in command.commands, f"{line}: there is no {words[0]}"
        command = command.commands[words.pop(0)]
        if not words:
            return  # named in a sentence, not shown as a line
    command.make_context(command.name, words)


def shown(file: Path) -> Iterator[str]:
    for found in SHOWN.finditer(file.read_text()):
        yield found.group(1).strip()


@pytest.mark.parametrize("file", ["README.md", *(str(page.relative_to(ROOT)) for page in PAGES)])
def test_what_the_documentation_shows(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CERT", "KEY", "ENC_KEY"):
        monkeypatch.setenv(f"CCF_MEMBER_{name}", "file.pem")
    for line in shown(ROOT / file):
        if not line.startswith("--"):
            parse(line)


def test_the_members_pages_show_commands() -> None:
    assert len(list(shown(ROOT / "docs/how-to/members.md"))) >= 12
    assert len(list(shown(ROOT / "docs/how-to/keys-in-an-hsm.md"))) >= 12


@pytest.mark.parametrize("name", SCENES)
def test_what_people_are_advised(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("CERT", "KEY", "ENC_KEY"):
        monkeypatch.setenv(f"CCF_MEMBER_{variable}", "file.pem")
    network = scene(SCENES[name]()).network
    flags = ["--namespace", "prod", "--context", "x y"]
    commands = [*advise(network, flags).commands, *plan(network, flags).choices]
    for command, _ in commands:
        if not command.startswith("kubectl taint "):
            parse(command.removeprefix("kubectl ccf "))
