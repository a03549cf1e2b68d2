"""An API server that refuses what the operator asks for: a policy, a webhook that is down, a quota."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ccf_operator.render import labels
from integration.world.api import ApiError
from integration.world.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
WEBHOOK = "check.corp.example"
PATIENCE = 30.0


@asynccontextmanager
async def webhook_down(world: World) -> AsyncIterator[None]:
    """A validating webhook must be asked for every new pod of the namespace, and nobody answers for it."""
    name = f"{world.namespace}-webhook"
    await world.api.ask(
        "POST",
        f"{ADMISSION}/validatingwebhookconfigurations",
        {
            "metadata": {"name": name},
            "webhooks": [
                {
                    "name": WEBHOOK,
                    "clientConfig": {"url": "https://127.0.0.1:1/"},
                    "rules": [
                        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
                    ],
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}},
                    "failurePolicy": "Fail",
                    "sideEffects": "None",
                    "timeoutSeconds": 2,
                    "admissionReviewVersions": ["v1"],
                }
            ],
        },
    )
    pod = {"metadata": {"name": "try"}, "spec": {"containers": [{"name": "try", "image": "try"}]}}
    await _refuses(world, "POST", f"/api/v1/namespaces/{world.namespace}/pods", pod)
    try:
        yield
    finally:
        await world.api.ask("DELETE", f"{ADMISSION}/validatingwebhookconfigurations/{name}")


@asynccontextmanager
async def traffic_frozen(world: World) -> AsyncIterator[None]:
    """A policy lets nobody change which pods get traffic."""
    name = f"{world.namespace}-frozen"
    said = "'{0}' in {1}.metadata.labels ? {1}.metadata.labels['{0}'] : ''"
    new, old = (said.format(labels.TRAFFIC, of) for of in ("object", "oldObject"))
    await world.api.ask(
        "POST",
        f"{ADMISSION}/validatingadmissionpolicies",
        {
            "metadata": {"name": name},
            "spec": {
                "matchConstraints": {
                    "resourceRules": [
                        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["pods"]}
                    ],
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}},
                },
                "validations": [{"expression": f"({new}) == ({old})", "message": "traffic is frozen"}],
            },
        },
    )
    await world.api.ask(
        "POST",
        f"{ADMISSION}/validatingadmissionpolicybindings",
        {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}},
    )
    [pod, *_] = world.story.pods
    change = {"metadata": {"labels": {labels.TRAFFIC: "maybe"}}}
    await _refuses(world, "PATCH", f"/api/v1/namespaces/{world.namespace}/pods/{pod}", change)
    try:
        yield
    finally:
        for kind in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
            await world.api.ask("DELETE", f"{ADMISSION}/{kind}/{name}")


async def _refuses(world: World, method: str, path: str, body: dict[str, Any]) -> None:
    """Until the API server has taken notice: it refuses what is only tried."""
    content = "application/merge-patch+json" if method == "PATCH" else "application/json"
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await world.api.ask(method, path, body, query={"dryRun": "All"}, content_type=content)
            except ApiError as error:
                if error.status != 404:
                    return
            await asyncio.sleep(0.1)  # it says nothing when it has


def _reasons(world: World) -> set[str]:
    return {one["reason"] for one in world.story.status.get("obstacles") or []}


async def test_a_webhook_that_is_down_is_named_and_nothing_is_called_lost_for_it(world: World) -> None:
    await world.operator()
    await world.open()
    await world.write()

    async with webhook_down(world):
        world.kubelet.kill(*world.majority())
        await world.story.until(
            "every candidate is refused",
            lambda s: (
                (c := s.attempt.get("candidates") or [])
                and {one["stage"] for one in c} == {"Refused"}
                and all(WEBHOOK in one.get("detail", "") for one in c)
            ),
        )
        status = world.story.status
        assert _reasons(world) == {"WebhookFailed"}
        assert WEBHOOK in status["message"]
        assert WEBHOOK in status["nextStep"]
        assert WEBHOOK in status["attempt"]["message"]
        assert (status["phase"], status["reason"]) == ("Recovering", "Candidates")

    await world.recovered()
    await world.nothing_is_missing()
    await world.story.until("that nothing is in the way", lambda s: not s.status.get("obstacles"))
    assert [past["number"] for past in world.story.status["history"]] == [1]
    assert not any("NothingRecovered" in str(status.get("reason")) for status in world.story.statuses())


async def test_ready_counts_nodes_that_get_traffic_not_those_that_were_to_get_it(world: World) -> None:
    await world.operator()
    await world.open()
    await world.write()

    async with traffic_frozen(world):
        world.kubelet.kill(*world.majority())
        await world.members_asked()
        winner = world.story.attempt["winner"]
        await world.consortium.accept_recovery(world.node(winner["node"]), winner["serviceCertificate"])
        await world.story.until(
            "the policy's words",
            lambda s: s.status.get("phase") == "Running" and "PolicyDenied" in _reasons(world),
        )
        status = world.story.status
        ready = next(one for one in status["conditions"] if one["type"] == "Ready")
        assert status["readyNodes"] == "0/3"
        assert ready["status"] == "False"
        assert "0 of 3 nodes serve clients" in ready["message"]
        assert "traffic is frozen" in ready["message"]
        assert f"{world.namespace}-frozen" in status["nextStep"] or status["nextStep"].startswith("members")

    await world.running()
    await world.story.until("that nothing is in the way", lambda s: not s.status.get("obstacles"))
    await world.nothing_is_missing()
