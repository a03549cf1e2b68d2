"""What keeps pods and claims that Events alone tell: it is said where people look, and gone when it has healed."""

from __future__ import annotations

from typing import Any

import pytest

from integration.world.story import Story
from integration.world.world import World

WORDS = "mount failed: exit status 32"


def told(story: Story, reason: str) -> list[dict[str, Any]]:
    return [one for one in story.status.get("obstacles") or [] if one["reason"] == reason]


async def test_volumes_of_candidates_that_cannot_be_mounted_are_told_until_they_can_be(world: World) -> None:
    operator = await world.operator()
    await world.open()
    await world.write()
    assert not [
        call for call in operator.proxy.calls if "fieldSelector" in call.query and call.path.endswith("/events")
    ]

    world.kubelet.trouble.unmountable = WORDS
    world.kubelet.kill(*world.majority())
    await world.story.until(
        "every candidate has the kubelet's words",
        lambda s: (
            (found := s.attempt.get("candidates") or [])
            and all(WORDS in one.get("detail", "") for one in found)
            and all(one["stage"] == "Attaching" for one in found)
        ),
    )
    status = world.story.status
    assert {one["source"] for one in told(world.story, "FailedMount")} == {"Kubelet"}
    assert WORDS in status["message"]
    assert WORDS in status["attempt"]["message"]
    assert WORDS in next(one["message"] for one in status["conditions"] if one["type"] == "Ready")
    assert "describe pod" in status["nextStep"]

    world.kubelet.trouble.unmountable = None
    await world.recovered()
    await world.story.until("that nothing is in the way", lambda s: not s.status.get("obstacles"))
    await world.nothing_is_missing()


@pytest.mark.usefixtures("controllers")
@pytest.mark.parametrize(
    ("storage_class", "reason", "words", "door"),
    [
        ("fast", "ProvisioningFailed", '"fast" not found', "kubectl describe storageclass fast"),
        (None, "FailedBinding", "no storage class is set", "kubectl get storageclasses,persistentvolumes"),
    ],
)
async def test_a_claim_that_gets_no_volume_has_its_controllers_words_until_it_has_one(
    world: World, storage_class: str | None, reason: str, words: str, door: str
) -> None:
    world.kubelet.trouble.unprovisioned.add(storage_class)
    await world.operator()
    await world.create(storage={"storageClassName": storage_class} if storage_class is not None else {})

    await world.story.until("that it is told", lambda s: told(s, reason))
    [one] = told(world.story, reason)
    assert (one["source"], one["object"].split()[0]) == ("Storage", "PersistentVolumeClaim")
    assert words in world.story.status["message"]
    assert world.story.status["nextStep"].endswith(door)

    world.kubelet.trouble.unprovisioned.clear()
    await world.story.until("members are asked to open", lambda s: s.status.get("phase") == "AwaitingOpen")
    await world.story.until("that nothing is in the way", lambda s: not s.status.get("obstacles"))
