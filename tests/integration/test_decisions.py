"""Decisions about recoveries against a real API server: what it takes, and that the operator answers at once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ccf_operator.api.decision import Action
from ccf_operator.domain.doors import decide_by
from ccf_operator.kube.gateway import Gateway, Outcome
from ccf_operator.render import labels
from integration.control_plane import ControlPlane
from integration.manifests import minimal
from integration.operator_process import operator
from integration.test_operator import until
from unit.domain.given import observation, status

Raw = dict[str, Any]
Create = Callable[[Raw], Raw]


def decision(action: str = "Approve", **fields: Any) -> Raw:
    return {
        "apiVersion": labels.API_VERSION,
        "kind": labels.DECISION_KIND,
        "metadata": {"name": "one"},
        "spec": {"network": "bank", "token": "1-abc", "action": action, **fields},
    }


def _create(control_plane: ControlPlane, namespace: str, manifest: Raw) -> subprocess.CompletedProcess[str]:
    return control_plane.kubectl("create", "-n", namespace, "-o", "json", "-f", "-", stdin=json.dumps(manifest))


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (decision("Exclude"), "say which volume"),
        (decision("Pin"), "say which volume"),
        (decision("Approve", volume="v"), "only Exclude, Pin and Adopt are about a volume"),
        (decision("Hope"), "Unsupported value"),
        (decision(token=""), "should be at least 1 chars long"),
        (decision(reason="x" * 1001), "may not be more than 1000"),
    ],
)
def test_what_makes_no_sense_is_refused(control_plane: ControlPlane, namespace: str, manifest: Raw, said: str) -> None:
    done = _create(control_plane, namespace, manifest)
    assert done.returncode != 0
    assert said in done.stderr


def test_a_decision_cannot_be_changed(control_plane: ControlPlane, namespace: str) -> None:
    assert _create(control_plane, namespace, decision()).returncode == 0
    patch = '{"spec":{"action":"Abort"}}'
    done = control_plane.kubectl("patch", "-n", namespace, "ccfrd/one", "--type=merge", "-p", patch)
    assert done.returncode != 0
    assert "create another CCFRecoveryDecision" in done.stderr


async def test_an_answer_goes_to_the_very_object_and_changes_nothing_else(
    gateway: Gateway, control_plane: ControlPlane, namespace: str
) -> None:
    made = json.loads(_create(control_plane, namespace, decision()).stdout)
    answer = {"state": "Refused", "message": "no", "at": "2026-01-01T00:00:00.000Z"}
    assert await gateway.answer_decision(namespace, "one", "another", answer) is Outcome.REPLACED
    for _ in range(2):
        assert await gateway.answer_decision(namespace, "one", made["metadata"]["uid"], answer) is Outcome.DONE
    (found,) = await gateway.list_decisions(namespace)
    assert found["status"] == answer
    assert found["spec"] == made["spec"]


@pytest.mark.parametrize("action", sorted(set(Action) - {Action.EXCLUDE, Action.PIN}))
def test_the_command_that_is_told_works_in_any_shell(
    control_plane: ControlPlane, namespace: str, action: Action, tmp_path: Path
) -> None:
    seen = observation(status(), namespace=namespace)
    environment = {"PATH": f"{control_plane.binaries}:/bin:/usr/bin", "KUBECONFIG": str(control_plane.kubeconfig)}
    done = subprocess.run(
        ["sh", "-c", decide_by(seen, action, "1-abc")],
        env=environment,
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = control_plane.kubectl("get", "-n", namespace, "ccfrd", "-o", "jsonpath={.items[*].spec.action}").stdout
    assert shown == action.value


async def test_the_operator_answers_a_decision_that_comes_too_late(
    gateway: Gateway,
    operator_kubeconfig: Path,
    control_plane: ControlPlane,
    namespace: str,
    create_network: Create,
    tmp_path: Path,
) -> None:
    create_network(minimal())
    with operator(operator_kubeconfig, namespace, tmp_path / "operator.log"):

        async def blocked() -> bool:
            network = await gateway.get_network(namespace, "bank")
            return network is not None and (network.get("status") or {}).get("reason") == "InputsMissing"

        await until("the network waits for what its spec refers to", blocked)
        _create(control_plane, namespace, decision())

        async def answered() -> Raw | None:
            (found,) = await gateway.list_decisions(namespace)
            return found.get("status")

        answer = await until("an answer", answered)
        assert answer["state"] == "Refused"
        assert answer["message"] == "no attempt is in progress"
        network = await gateway.get_network(namespace, "bank")
        assert network is not None
        assert [d["name"] for d in network["status"]["decisions"]] == ["one"]
        assert network["status"]["decisions"][0]["manager"] == "kubectl-create"
