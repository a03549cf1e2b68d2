"""What a shell offers after `kubectl ccf`, by kubectl's own completion."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from integration.manifests import minimal


@pytest.fixture
def offered(personal_environment: dict[str, str]) -> Callable[..., list[str]]:
    """What kubectl offers for the last of the words."""

    def ask(*words: str) -> list[str]:
        command = ["kubectl", "__complete", "ccf", *words]
        said = subprocess.run(command, env=personal_environment, capture_output=True, text=True, check=True)
        *found, directive = said.stdout.splitlines()
        assert directive.startswith(":"), said.stdout
        return found

    return ask


def test_commands_options_and_names(
    offered: Callable[..., list[str]], create_network: Callable[..., dict[str, Any]], namespace: str
) -> None:
    assert offered("stat") == ["status"]
    assert offered("recovery", "p") == ["plan", "pin"]
    assert "--known-service" in offered("open", "bank", "--kn")
    assert offered("status", "") == []
    create_network(minimal())
    assert offered("status", "") == ["bank"]
    assert offered("status", "--namespace", "default", "") == []
    assert namespace in offered("status", "bank", "-n", "")
