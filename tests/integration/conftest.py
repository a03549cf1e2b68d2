"""A control plane for the whole session, a namespace and a gateway for each test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ccf_operator.kube.gateway import Gateway
from ccf_operator.render import labels
from integration.control_plane import ControlPlane, Program, controlled, running
from integration.world.world import World, living
from members import GeneratedMember, generate_member
from terminal import Terminal

REPOSITORY = Path(__file__).resolve().parents[2]
CHART = REPOSITORY / "charts/ccf-operator"
OPERATOR_NAMESPACE = "ccf-operator-system"
OPERATOR_USER = f"system:serviceaccount:{OPERATOR_NAMESPACE}:ccf-operator"

Helm = Callable[..., str]


@pytest.fixture(scope="session")
def binaries() -> Path:
    """Where etcd, kube-apiserver, kubectl and helm are; built first where they are not (minutes, once)."""
    built = subprocess.run(
        [str(REPOSITORY / "e2e/cluster/cluster"), "binaries"], stdout=subprocess.PIPE, text=True, check=True
    )
    return Path(built.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="session")
def helm(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Run helm; its standard output. Fails the test if helm does."""
    home = tmp_path_factory.mktemp("helm")
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [str(binaries / "helm"), *arguments], text=True, capture_output=True, check=False, env=environment
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def control_plane(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The API server with the CRD of this tree."""
    with running(binaries, tmp_path_factory.mktemp("control-plane"), OPERATOR_USER) as started:
        _must(started.kubectl("apply", "--server-side", "-f", str(REPOSITORY / "crds")))
        _wait_served(started)
        yield started


@pytest.fixture(scope="session")
def kubeconfig(control_plane: ControlPlane) -> Path:
    """A kubeconfig of a user who may do everything."""
    return control_plane.kubeconfig


@pytest.fixture
def controllers(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Program]:
    """The real kube-controller-manager beside the API server, as long as the test runs."""
    with controlled(control_plane, tmp_path / "controllers") as manager:
        yield manager


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    """A new namespace. It goes with the control plane: without `controllers` nothing could finish its deletion."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    _must(control_plane.kubectl("create", "namespace", name))
    return name


@pytest.fixture
def personal_environment(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a person with kubectl, set to the test's namespace, and with the plugin."""
    kubeconfig = tmp_path / "kubeconfig"
    shutil.copy(control_plane.kubeconfig, kubeconfig)
    places = (str(control_plane.binaries), str(Path(sys.executable).parent), os.environ["PATH"])
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "PATH": os.pathsep.join(places)}
    context = ["kubectl", "config", "set-context", "--current", f"--namespace={namespace}"]
    subprocess.run(context, check=True, env=environment, stdout=subprocess.DEVNULL)
    return environment


@pytest.fixture
def terminal(personal_environment: dict[str, str]) -> Iterator[Terminal]:
    """The terminal of such a person, in the repository's directory."""
    with Terminal(REPOSITORY, personal_environment) as opened:
        yield opened


@pytest.fixture
def operator_kubeconfig(control_plane: ControlPlane, helm: Helm, namespace: str) -> Iterator[Path]:
    """That of the operator's own account, with the rights that the chart gives it in the test's namespace."""
    rights = helm(
        "template",
        "ccf-operator",
        str(CHART),
        f"--namespace={OPERATOR_NAMESPACE}",
        f"--set=watchNamespaces={{{namespace}}}",
        "--show-only=templates/rbac.yaml",
    )
    _must(control_plane.kubectl("apply", "-f", "-", stdin=rights))
    yield control_plane.operator_kubeconfig
    control_plane.kubectl("delete", "--wait=false", "-f", "-", stdin=rights)


@pytest.fixture(scope="session")
def members() -> list[GeneratedMember]:
    """The members of every network here: one is enough where governance is not what is tested."""
    return [generate_member("alice")]


@pytest_asyncio.fixture
async def world(
    control_plane: ControlPlane,
    operator_kubeconfig: Path,
    namespace: str,
    tmp_path: Path,
    members: list[GeneratedMember],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[World]:
    """A namespace with machines, in which an operator can be started and a network will live."""
    monkeypatch.setenv("KUBECONFIG", str(operator_kubeconfig))
    async with living(control_plane, namespace, tmp_path, members) as begun:
        yield begun


@pytest_asyncio.fixture
async def gateway(kubeconfig: Path) -> AsyncIterator[Gateway]:
    """A gateway of a user who may do everything."""
    async with await Gateway.connect(str(kubeconfig)) as connected:
        yield connected


@pytest.fixture
def create_network(control_plane: ControlPlane, namespace: str) -> Callable[..., dict[str, Any]]:
    """Create a CCFNetwork in the test's namespace from a manifest; the object as the API server answers."""

    def create(manifest: dict[str, Any]) -> dict[str, Any]:
        done = control_plane.kubectl(
            "create", "--namespace", namespace, "-o", "json", "-f", "-", stdin=json.dumps(manifest)
        )
        _must(done)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return create


def _wait_served(control_plane: ControlPlane) -> None:
    """Until our kinds are served (`kubectl wait` fails on a definition that has no conditions yet)."""
    deadline = time.monotonic() + 60
    for plural in (labels.PLURAL, labels.DECISION_PLURAL):
        while (asked := control_plane.kubectl("get", "--raw", f"/apis/{labels.API_VERSION}/{plural}")).returncode != 0:
            assert time.monotonic() < deadline, asked.stderr
            time.sleep(0.1)


def _must(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, f"{done.args}: {done.stderr}"
