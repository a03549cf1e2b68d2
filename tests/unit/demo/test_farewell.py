from __future__ import annotations

import pytest

from e2e.demo.farewell import Hint, look_around, removal
from e2e.harness.kubectl import Kubectl


def commands(hints: list[Hint]) -> list[str]:
    return [command for hint in hints for command in hint.commands]


def test_on_the_projects_own_cluster_the_shell_is_told_where_things_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    told = commands(look_around(Kubectl("/cache/a b/kubectl", "/state/kubeconfig", "ccf-demo"), "bank"))
    assert told[:2] == ["export KUBECONFIG=/state/kubeconfig", "export PATH='/cache/a b':$PATH"]
    assert "kubectl -n ccf-demo get ccf bank -o yaml" in told


def test_on_an_existing_cluster_kubectl_is_where_the_shell_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/opt/bin")
    told = commands(look_around(Kubectl("/opt/bin/kubectl", None, "ccf-demo"), "bank"))
    assert not [command for command in told if command.startswith("export")]


@pytest.mark.parametrize(("cluster", "taken_down"), [("own", True), ("existing", False)])
def test_only_the_projects_own_cluster_is_taken_down(
    cluster: str, taken_down: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUSTER", cluster)
    told = commands(removal(Kubectl("kubectl", None, "ccf-demo")))
    assert any(command.startswith("make demo-clean") for command in told)
    assert any(command.startswith("make cluster-down") for command in told) is taken_down
