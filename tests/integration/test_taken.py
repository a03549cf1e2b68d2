"""What is deleted underneath a network, with the controllers that take it away: nothing goes by a step of ours."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from functools import partial
from typing import Any

import pytest

from ccf_operator.reconcile import observe
from integration.world.story import Story
from integration.world.world import World

pytestmark = pytest.mark.usefixtures("controllers")


async def test_claims_deleted_in_use_take_no_ledger_along_and_the_network_comes_back_by_what_is_said(
    world: World,
) -> None:
    world.kubelet.reclaim_policy = "Delete"
    await world.operator()
    await world.open()
    for _ in range(3):
        await world.write()
    await world.at_rest()
    volumes = await bound(world)

    delete_claims(world)
    await world.story.until("that it is said", lambda s: recoverable(s) == ("False", "ClaimsTerminating"))
    assert world.story.status["phase"] == "Running"
    assert condition(world.story, "Ready")["status"] == "True"

    world.kubelet.kill(*world.majority())
    await world.story.until("that it waits", lambda s: s.status["reason"] == "VolumesTaken")
    assert await bound(world) == volumes
    assert await ledgers_are_there(world, volumes)

    follow(world, world.story.status["nextStep"])
    await world.story.until("claims anew", lambda s: "claimRef" in s.status["nextStep"], within=60)
    while "RecoveryStarted" not in await world.milestones():
        if "claimRef" in (told := world.story.status["nextStep"]):
            follow(world, told)
        await world.story.until("the next step", partial(_goes_on, told))
    await world.recovered()
    await world.nothing_is_missing()
    assert await ledgers_are_there(world, volumes)


async def test_a_namespace_goes_with_a_running_network_in_it_and_rights_in_it_alone(world: World) -> None:
    """With it go the operator's rights in it; they stay as long as they are needed."""
    await world.operator()
    await world.open()

    await world.api.ask("DELETE", f"/api/v1/namespaces/{world.namespace}")

    await world.api.gone(f"/api/v1/namespaces/{world.namespace}", within=60)
    assert not [one for one in world.story.statuses() if one.get("attempt")], "nothing can be made there any more"


async def test_rights_that_are_taken_away_go_at_once(world: World) -> None:
    await world.operator()
    bindings = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.namespace}/rolebindings"
    binding = f"{bindings}/ccf-operator-system-ccf-operator-networks"

    await world.api.ask("DELETE", binding)

    await world.api.gone(binding, within=30)


def _goes_on(told: str, story: Story) -> bool:
    return bool(story.attempt) or story.status["nextStep"] != told


def delete_claims(world: World) -> None:
    done = world.control_plane.kubectl(
        "-n", world.namespace, "delete", "pvc", "-l", "ccf.dev/network=bank", "--wait=false"
    )
    assert done.returncode == 0, done.stderr


def follow(world: World, step: str) -> None:
    """Run the commands about volumes that a next step names."""
    commands = re.findall(r"kubectl (patch pv [^;']*'[^']*')", step)
    assert commands, step
    for command in commands:
        done: subprocess.CompletedProcess[str] = world.control_plane.kubectl(*shlex.split(command))
        assert done.returncode == 0, (command, done.stderr)


def condition(story: Story, kind: str) -> dict[str, Any]:
    return next((one for one in story.status.get("conditions") or [] if one["type"] == kind), {})


def recoverable(story: Story) -> tuple[str, str]:
    found = condition(story, "Recoverable")
    return found.get("status", ""), found.get("reason", "")


async def bound(world: World) -> dict[str, str]:
    """The PersistentVolumes of the claims that there are."""
    claims = await world.api.get(f"/api/v1/namespaces/{world.namespace}/persistentvolumeclaims")
    return {one["metadata"]["name"]: one["spec"].get("volumeName", "") for one in claims["items"]}


async def ledgers_are_there(world: World, volumes: dict[str, str]) -> bool:
    held = [world.kubelet.volume(name) / "gen-0" / "manifest.json" for name in volumes]
    for name in volumes.values():
        await world.api.get(f"/api/v1/persistentvolumes/{name}")
    return all(json.loads(path.read_bytes())["volume"] for path in held)


async def test_a_volume_that_is_deleted_under_its_claim_is_told_while_it_goes_and_when_it_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "PERSISTENT_VOLUME_SECONDS", 0.5)
    await world.operator()
    await world.open(recovery={"quorumLossWindow": "1s", "startDeadline": "5s"})
    await world.write()
    [claim, *_] = sorted(volumes := await bound(world))
    path = f"/api/v1/persistentvolumes/{volumes[claim]}"

    await world.api.ask("DELETE", path)
    await world.story.until("that it goes", lambda s: recoverable(s) == ("False", "VolumesTerminating"))
    assert volumes[claim] in condition(world.story, "Recoverable")["message"]
    assert "keep the claims" in world.story.status["nextStep"]

    await world.api.patch(path, {"metadata": {"finalizers": None}})
    await world.story.until("that it is gone", lambda s: recoverable(s) == ("False", "VolumesMissing"))
    assert f"the volumes of {claim} are gone" in condition(world.story, "Recoverable")["message"]
    assert world.story.status["phase"] == "Running"

    world.kubelet.kill(*world.majority())
    await world.recovered()
    await world.nothing_is_missing()


async def test_claims_put_back_on_volumes_that_were_emptied_are_not_used_and_it_is_said_why(world: World) -> None:
    await world.operator()
    await world.open()
    await world.write()
    await world.at_rest()
    [kept, *emptied] = sorted(await bound(world))

    delete_claims(world)
    await world.story.until("that it is said", lambda s: recoverable(s) == ("False", "ClaimsTerminating"))
    for claim in emptied:
        for generation in world.kubelet.volume(claim).iterdir():
            generation.rename(world.directory / f"{claim}-{generation.name}")
    world.kubelet.kill(*[one["name"] for one in world.story.nodes()])

    await world.story.until("claims anew", lambda s: s.status["nextStep"].count("claimRef") == 3)
    follow(world, world.story.status["nextStep"])
    words = "shows nothing of this network: it is not used"
    await world.story.until(
        "that they are read and not taken",
        lambda s: sum(words in (one.get("note") or "") for one in s.status["volumes"]) == len(emptied),
    )
    assert [one["name"] for one in world.story.status["volumes"] if not one.get("note")] == [kept]
    assert words in condition(world.story, "Recoverable")["message"]
    await world.story.until(
        "that it is left to people", lambda s: s.status.get("reason") in ("ApprovalRequired", "VolumesTaken")
    )
    assert world.story.attempt.get("winner") is None


async def test_a_machine_whose_node_object_goes_is_told_with_what_runs_there(world: World) -> None:
    await world.operator()
    await world.open()
    [pod, *_] = sorted(world.story.pods)
    path = f"/api/v1/nodes/{(machine := world.machine(pod))}"
    await world.api.patch(path, {"metadata": {"finalizers": ["autoscaler.example/drain"]}})

    await world.api.ask("DELETE", path)

    await world.story.until("that it is said", lambda s: recoverable(s) == ("False", "MachinesTerminating"))
    assert f"Node {machine} with {pod}" in condition(world.story, "Recoverable")["message"]
    assert f"kubectl get node {machine}" in world.story.status["nextStep"]
    assert (world.story.status["phase"], world.story.status["readyNodes"]) == ("Running", "3/3")
    await world.write()
