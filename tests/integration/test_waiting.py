"""Waiting for a network with kubectl, on what a real API server makes of its status."""

from __future__ import annotations

import json
from subprocess import CompletedProcess
from typing import Any

import pytest

from ccf_operator.kube.gateway import Gateway
from integration.control_plane import ControlPlane
from integration.manifests import minimal
from unit.domain.judged import CASES, Case, object_of
from unit.domain.kstatus import compute

BY_NAME = {case.name: case for case in CASES}


async def _created(control_plane: ControlPlane, gateway: Gateway, namespace: str) -> dict[str, Any]:
    done = control_plane.kubectl("apply", "--namespace", namespace, "-f", "-", stdin=json.dumps(minimal()))
    assert done.returncode == 0, done.stderr
    created = await gateway.get_network(namespace, "bank")
    assert created is not None
    return created


async def _bank(control_plane: ControlPlane, gateway: Gateway, namespace: str, case: Case) -> None:
    created = await _created(control_plane, gateway, namespace)
    status = object_of(case)["status"] | {"observedGeneration": created["metadata"]["generation"]}
    await gateway.replace_status(namespace, "bank", created["metadata"]["resourceVersion"], status)


def _wait(control_plane: ControlPlane, namespace: str, condition: str, seconds: int) -> CompletedProcess[str]:
    arguments = ("wait", f"--for=condition={condition}", "ccf/bank", f"--timeout={seconds}s", "--namespace", namespace)
    return control_plane.kubectl(*arguments)


async def test_a_network_that_nobody_has_looked_at_is_in_progress(
    control_plane: ControlPlane, gateway: Gateway, namespace: str
) -> None:
    assert compute(await _created(control_plane, gateway, namespace)) == "InProgress"


@pytest.mark.parametrize(
    ("name", "condition", "over"),
    [
        ("running", "Ready", True),
        ("service offered", "Ready", False),
        ("service offered", "GovernanceRequired", True),
        ("approval required", "Ready", False),
        ("approval required", "Stalled", True),
        ("approval required", "Reconciling=false", True),
    ],
)
async def test_kubectl_wait(
    control_plane: ControlPlane, gateway: Gateway, namespace: str, name: str, condition: str, over: bool
) -> None:
    await _bank(control_plane, gateway, namespace, BY_NAME[name])
    waited = _wait(control_plane, namespace, condition, 60 if over else 1)
    assert (waited.returncode == 0) == over, waited.stderr
    assert over or "timed out waiting for the condition" in waited.stderr
