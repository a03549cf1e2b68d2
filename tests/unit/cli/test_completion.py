from __future__ import annotations

from pathlib import Path

import pytest

from ccf_operator.cli.app import COMPLETE_VARIABLE, run
from ccf_operator.cli.completion import answer, suggestions
from unit.cli.kubectl_stub import stub


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What completion sets is gone afterwards."""
    for name in (COMPLETE_VARIABLE, "COMP_WORDS", "COMP_CWORD"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_commands_sub_commands_and_options() -> None:
    assert {"status", "open", "recovery"} <= set(suggestions([""]))
    assert suggestions(["stat"]) == ["status"]
    assert {"plan", "approve", "history"} <= set(suggestions(["recovery", ""]))
    assert "--watch" in suggestions(["status", "bank", "--w"])
    assert suggestions(["status", "bank", "--output", "y"]) == ["yaml"]


def test_networks_are_those_of_the_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stub(tmp_path)
    monkeypatch.setenv("KUBECTL", made.program)
    Path(made.program).write_text("#!/bin/sh\necho ccfnetwork.ccf.dev/bank\necho ccfnetwork.ccf.dev/shop\n")
    assert suggestions(["open", "b"]) == ["bank"]


def test_kubectl_is_answered_as_it_expects() -> None:
    assert answer(["stat"]) == "status\n:4"
    assert answer(["nonsense", "x"]) == ":0"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_for_shells_name_the_program(
    shell: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    assert run(["--show-completion", shell]) == 0
    said = capsys.readouterr().out
    assert "kubectl-ccf" in said
    assert COMPLETE_VARIABLE in said
