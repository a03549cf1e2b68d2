"""The commands of docs/how-to/gitops.md, run as they are shown."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ccf_operator.kube.gateway import Gateway
from integration.conftest import REPOSITORY
from integration.control_plane import ControlPlane
from integration.manifests import minimal
from unit.domain.judged import CASES, object_of

PAGE = (REPOSITORY / "docs/how-to/gitops.md").read_text()
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [text for language, text in FENCED if not language]
Shell = Callable[[str], str]


@pytest.fixture
def shell(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Shell:
    """Runs lines with kubectl set to the test's namespace; what they print."""
    kubeconfig = tmp_path / "kubeconfig"
    shutil.copy(control_plane.kubeconfig, kubeconfig)
    path = f"{control_plane.binaries}:{os.environ['PATH']}"
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "PATH": path}

    def run(lines: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", lines],
            cwd=REPOSITORY,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(f"kubectl config set-context --current --namespace={namespace}")
    return run


def _blocks(word: str) -> list[str]:
    found = [block for block in COMMANDS if word in block]
    assert found
    return found


def test_argo_cd_gets_the_rule(control_plane: ControlPlane, shell: Shell) -> None:
    shell("kubectl create namespace argocd; kubectl -n argocd create configmap argocd-cm --from-literal=url=kept")
    for block in _blocks("argocd"):
        shell(block)
    data = json.loads(shell("kubectl -n argocd get configmap argocd-cm -o json"))["data"]
    rule = (REPOSITORY / "charts/ccf-operator/argocd-health.lua").read_text()
    assert data == {"url": "kept", "resource.customizations.health.ccf.dev_CCFNetwork": rule}


async def test_scripts_wait_for_a_network(
    control_plane: ControlPlane, gateway: Gateway, namespace: str, shell: Shell
) -> None:
    shell(f"echo '{json.dumps(minimal())}' | kubectl apply -f -")
    created = await gateway.get_network(namespace, "bank")
    assert created is not None
    status = object_of(next(case for case in CASES if case.name == "running"))["status"]
    status["observedGeneration"] = created["metadata"]["generation"]
    await gateway.replace_status(namespace, "bank", created["metadata"]["resourceVersion"], status)
    for block in _blocks("kubectl wait"):
        shell(block)


def test_every_command_is_one_of_those() -> None:
    assert {block for word in ("argocd", "kubectl wait") for block in _blocks(word)} == set(COMMANDS)


def test_flux_is_told_of_the_kind_there_is() -> None:
    documents = [yaml.safe_load(text) for language, text in FENCED if language == "yaml"]
    checks = [check for document in documents for check in document.get("spec", {}).get("healthChecks", [])]
    network = minimal()
    assert [(check["apiVersion"], check["kind"]) for check in checks] == [(network["apiVersion"], network["kind"])]
