"""docs/tutorial.md, followed from the top to the end by somebody who answers `y` to every question."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from e2e.harness.environment import Environment
from pages import ROOT, Reading
from terminal import Terminal

NAMESPACE = "tutorial"
LONGEST = 420
"""Seconds for a block: one that waits says itself for how long."""


@pytest.fixture
def terminal(environment: Environment) -> Iterator[Terminal]:
    """A shell in the repository's directory, on a cluster where nobody has followed the tutorial before."""
    if os.environ.get("CLUSTER") == "existing":
        pytest.skip("the tutorial is about the project's own cluster")
    shutil.rmtree(ROOT / "build" / "tutorial", ignore_errors=True)
    kubectl = environment.setting.kubectl
    kubectl.delete("namespace", [NAMESPACE])
    environment.setting.faults.recycle_volumes()
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "CCF_"))}
    with Terminal(ROOT, own) as opened:
        yield opened
    kubectl.delete("namespace", [NAMESPACE], "--wait=false")


def test_the_tutorial(terminal: Terminal) -> None:
    page = Reading("tutorial.md", __file__)

    def follow(section: str) -> str:
        return terminal.follow(page.section(section), within=LONGEST)

    assert follow("A cluster").count(" Ready ") == 3
    assert "submit-share" in follow("The operator")
    follow("The members and their keys")
    assert "kubectl ccf open bank" in follow("The network")
    assert "3/3" in follow("The members open it")
    assert "install an application" in follow("An application")
    wrote = follow("Write and read")
    assert '{"key":"greeting","value":"hello"}' in wrote.replace(" ", "")
    assert '"status":"Committed"' in wrote.replace(" ", "")
    lost = follow("Kill a majority")
    assert all(shown in lost for shown in ("AwaitingMembers/AcceptService", "Recovered", "chosen", "submit-share"))
    assert "Succeeded" in follow("The members accept it")
    read = follow("Read it again").replace(" ", "")
    assert '{"key":"greeting","value":"hello"}' in read
    assert '"status":"Committed"' in read
    assert follow("Clean up").count("Bound") >= 3
    page.finish()
