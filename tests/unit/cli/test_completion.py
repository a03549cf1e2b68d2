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


def test_names_are_those_that_the_cluster_knows_where_the_flags_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stub(tmp_path)
    monkeypatch.setenv("KUBECTL", made.program)
    Path(made.program).write_text(
        """#!/bin/sh
case "$*" in
"--context there --namespace prod get ccfnetworks.ccf.dev --output name") echo ccfnetwork.ccf.dev/bank ;;
"get ccfnetworks.ccf.dev --output name") echo ccfnetwork.ccf.dev/shop; echo ccfnetwork.ccf.dev/bakery ;;
"get pods --selector ccf.dev/network=bank --output name") echo pod/bank-0 ;;
"get persistentvolumeclaims --selector ccf.dev/network=bank --output name") echo persistentvolumeclaim/bank-ledger-0 ;;
"get namespaces --output name") echo namespace/prod ;;
"config get-contexts --output name") echo there ;;
esac
"""
    )
    assert suggestions(["open", "b"]) == ["bakery"]
    assert suggestions(["open", "-n", "prod", "--context", "there", ""]) == ["bank"]
    assert suggestions(["open", "bank", "--node", ""]) == ["bank-0"]
    assert suggestions(["recovery", "pin", "bank", ""]) == ["bank-ledger-0"]
    assert suggestions(["status", "bank", "-n", ""]) == ["prod"]
    assert suggestions(["status", "bank", "--context", ""]) == ["there"]


def test_without_kubectl_nothing_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECTL", "/nonexistent/kubectl")
    assert suggestions(["open", ""]) == []


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
