from __future__ import annotations

import re
import sys
from collections.abc import Callable, Generator, Iterator

import pytest

from e2e.harness.environment import Environment, NotReady, prepare
from e2e.harness.network import Network, Setting


def _say(text: str) -> None:
    print(f"e2e: {text}", file=sys.__stderr__, flush=True)


@pytest.fixture(scope="session")
def environment() -> Environment:
    """The cluster with the operator on it."""
    try:
        return prepare(_say)
    except NotReady as problem:
        pytest.exit(str(problem), returncode=2)


@pytest.fixture
def setting(environment: Environment, request: pytest.FixtureRequest) -> Iterator[Setting]:
    """A namespace of the test's own; afterwards nothing is left of it, faults included."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].strip("-")
    setting = environment.in_namespace(f"e2e-{name}")
    kubectl = setting.kubectl
    setting.faults.heal()
    _remove(setting)
    kubectl.run("create", "namespace", kubectl.namespace)
    yield setting
    setting.faults.heal()
    if request.node.stash.get(FAILED, False):
        _tell(setting)
    _remove(setting)


@pytest.fixture
def network(setting: Setting) -> Callable[..., Network]:
    """Makes networks in the test's namespace: `network(nodes=1)`."""
    return lambda **changes: Network(setting, **changes)


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call":
        item.stash[FAILED] = report.failed
    return report


def _remove(setting: Setting) -> None:
    kubectl = setting.kubectl
    if not kubectl.exists("namespace", kubectl.namespace):
        return
    kubectl.delete("ccfnetwork", kubectl.names("ccfnetwork"), "--wait=false")
    kubectl.delete("namespace", [kubectl.namespace], "--timeout=90s")


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
