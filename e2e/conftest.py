from __future__ import annotations

import os
import re
import secrets
import socket
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Any

import pytest

from e2e.harness.environment import Environment, NotReady, prepare
from e2e.harness.kubectl import Kubectl, KubectlFailed
from e2e.harness.network import Network, Setting
from e2e.harness.operator import Operator
from e2e.harness.waiting import eventually


def _say(text: str) -> None:
    print(f"e2e: {text}", file=sys.__stderr__, flush=True)


@pytest.fixture(scope="session")
def environment() -> Iterator[Environment]:
    """The cluster with the operator on it; at the end of the session nothing is left of any scenario."""
    try:
        environment = prepare(_say)
    except NotReady as problem:
        pytest.exit(str(problem), returncode=2)
    kubectl = environment.setting.kubectl
    _remove(kubectl, _left_by_sessions_that_are_no_more(kubectl))
    yield environment
    _remove(kubectl, kubectl.names("namespaces", f"{SESSION_LABEL}={SESSION}"))
    environment.setting.faults.recycle_volumes()


@pytest.fixture
def setting(environment: Environment, request: pytest.FixtureRequest) -> Iterator[Setting]:
    """A namespace of the test's own. Its removal is begun afterwards, and awaited at the end of the session."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].strip("-")
    setting = environment.in_namespace(f"e2e-{name}-{secrets.token_hex(2)}")
    kubectl = setting.kubectl
    setting.faults.recycle_volumes()
    kubectl.run("create", "namespace", kubectl.namespace)
    kubectl.run("label", "namespace", kubectl.namespace, f"{SESSION_LABEL}={SESSION}")
    yield setting
    if request.node.stash.get(FAILED, False):
        _tell(setting)
    setting.faults.heal()
    _begin_removal(setting.kubectl)


@pytest.fixture
def network(setting: Setting) -> Iterator[Callable[..., Network]]:
    """Makes networks in the test's namespace: `network(nodes=1)`."""
    made: list[Network] = []

    def make(*, spec: dict[str, Any] | None = None, **changes: Any) -> Network:
        made.append(Network(setting, spec={**SWIFT, **(spec or {})}, **changes))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def operator(environment: Environment) -> Iterator[Operator]:
    """The operator, to be handled from outside; one of it runs again afterwards."""
    yield environment.operator
    environment.operator.scale(1)


SWIFT = {"ledgerSignatures": {"delay": "200ms"}}
"""What is waited for most in a scenario is the next signature: until then nothing is committed."""
HOST = re.sub(r"[^A-Za-z0-9]", "-", socket.gethostname())[:40]
SESSION_LABEL, SESSION = "ccf.dev/e2e-session", f"h{HOST}.{os.getpid()}"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "extended: only in `make e2e-all`, or by its name")


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call":
        item.stash[FAILED] = report.failed
    return report


def _begin_removal(kubectl: Kubectl) -> None:
    with suppress(KubectlFailed):  # somebody else may remove it at the same time
        kubectl.delete("ccfnetwork", kubectl.names("ccfnetwork"), "--wait=false")
        kubectl.delete("namespace", [kubectl.namespace], "--wait=false")


def _left_by_sessions_that_are_no_more(kubectl: Kubectl) -> set[str]:
    """Namespaces of sessions on this machine whose process has ended."""
    labelled = kubectl.list("namespaces", SESSION_LABEL)
    sessions = {n["metadata"]["name"]: str(n["metadata"]["labels"][SESSION_LABEL]).rpartition(".") for n in labelled}
    return {name for name, (host, _, pid) in sessions.items() if host == f"h{HOST}" and not _lives(int(pid))}


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _remove(kubectl: Kubectl, namespaces: set[str]) -> None:
    for namespace in namespaces:
        _begin_removal(kubectl.within(namespace))
    eventually(
        "nothing is left of the scenarios",
        lambda: not namespaces & kubectl.names("namespaces", SESSION_LABEL),
        within=120,
        every=1,
    )


def _tell(setting: Setting) -> None:
    """What a person would look at first."""
    for arguments in (
        ("get", "ccf,pods,pvc", "--output", "wide"),
        ("get", "ccf", "--output", "yaml"),
        ("get", "events", "--sort-by", ".metadata.creationTimestamp"),
    ):
        try:
            print(setting.kubectl.run(*arguments))
        except Exception as problem:
            print(f"kubectl {' '.join(arguments)}: {problem}")
