"""An API server that refuses what the operator asks for: a policy, a webhook that is down, a quota, too much to do."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ccf_operator.render import labels
from integration.world.api import Api, ApiError
from integration.world.story import Story
from integration.world.world import World, joined

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
WEBHOOK = "check.corp.example"
PATIENCE = 30.0
_POD = {"metadata": {"name": "try"}, "spec": {"containers": [{"name": "try", "image": "try"}]}}


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
    await _refuses(world.api, "POST", f"/api/v1/namespaces/{world.namespace}/pods", _POD)
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
    await _refuses(world.api, "PATCH", f"/api/v1/namespaces/{world.namespace}/pods/{pod}", change)
    try:
        yield
    finally:
        for kind in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
            await world.api.ask("DELETE", f"{ADMISSION}/{kind}/{name}")


async def _refuses(api: Api, method: str, path: str, body: dict[str, Any], *, status: int | None = None) -> None:
    """Until the API server has taken notice: it refuses what is only tried."""
    content = "application/merge-patch+json" if method == "PATCH" else "application/json"
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await api.ask(method, path, body, query={"dryRun": "All"}, content_type=content)
            except ApiError as error:
                if error.status != 404 and status in (None, error.status):
                    return
            await asyncio.sleep(0.1)  # it says nothing when it has


def _kinds(story: Story) -> set[str]:
    return {one["object"].partition(" ")[0] for one in story.status.get("obstacles") or []}


def _reasons(story: Story) -> set[str]:
    return {one["reason"] for one in story.status.get("obstacles") or []}


@asynccontextmanager
async def throttled(world: World) -> AsyncIterator[None]:
    """The API server has room for one pod at a time that the operator creates, and that one takes for ever."""
    flow = "/apis/flowcontrol.apiserver.k8s.io/v1"
    name = f"{world.namespace}-none"
    limited = {"nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0}
    level = {"type": "Limited", "limited": {**limited, "limitResponse": {"type": "Reject"}}}
    await world.api.ask("POST", f"{flow}/prioritylevelconfigurations", {"metadata": {"name": name}, "spec": level})
    user = world.control_plane.operator_user
    rules = {
        "subjects": [{"kind": "User", "user": {"name": user}}],
        "resourceRules": [
            {"verbs": ["create"], "apiGroups": [""], "resources": ["pods"], "namespaces": [world.namespace]}
        ],
    }
    schema = {"priorityLevelConfiguration": {"name": name}, "matchingPrecedence": 2, "rules": [rules]}
    await world.api.ask("POST", f"{flow}/flowschemas", {"metadata": {"name": name}, "spec": schema})
    pods = f"/api/v1/namespaces/{world.namespace}/pods"
    async with Api(replace(world.control_plane, token=world.control_plane.operator_token)) as operators:
        endless = asyncio.create_task(_post_for_ever(world, pods))
        await _refuses(operators, "POST", pods, _POD, status=429)
    try:
        yield
    finally:
        endless.cancel()
        for kind in ("flowschemas", "prioritylevelconfigurations"):
            await world.api.ask("DELETE", f"{flow}/{kind}/{name}")


async def _post_for_ever(world: World, path: str) -> None:
    """Say that a body comes, and never send it: from then on the API server is busy with it."""
    url = httpx.URL(world.control_plane.url)
    tls = ssl.create_default_context(cafile=str(world.control_plane.certificate))
    head = (
        f"POST {path}?dryRun=All HTTP/1.1",
        f"Host: {url.host}",
        f"Authorization: Bearer {world.control_plane.operator_token}",
        "Content-Type: application/json",
        "Content-Length: 1000",
    )
    while True:
        reader, writer = await asyncio.open_connection(url.host, url.port, ssl=tls)
        try:
            writer.write("\r\n".join((*head, "", "")).encode())
            await reader.read()  # until the API server gives up, or the flow is not limited yet
        finally:
            writer.close()


async def limit(world: World, **most: int) -> None:
    """Give the namespace a quota, or another one; done when the API server goes by it."""
    path = f"/api/v1/namespaces/{world.namespace}/resourcequotas"
    hard = {kind: str(number) for kind, number in most.items()}
    try:
        await world.api.patch(f"{path}/team", {"spec": {"hard": hard}})
    except ApiError:
        await world.api.ask("POST", path, {"metadata": {"name": "team"}, "spec": {"hard": hard}})
    async with asyncio.timeout(PATIENCE):
        while (await world.api.get(f"{path}/team")).get("status", {}).get("hard") != hard:  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # the controller says no more


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
        assert _reasons(world.story) == {"WebhookFailed"}
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
            lambda s: s.status.get("phase") == "Running" and "PolicyDenied" in _reasons(s),
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


@pytest.mark.usefixtures("controllers")
async def test_a_quota_is_named_and_what_it_keeps_away_is_called_neither_gone_nor_lost(world: World) -> None:
    await limit(world, persistentvolumeclaims=1, pods=1)
    await world.operator()
    await world.create()
    await world.story.until("the quota's words about both", lambda s: _kinds(s) == {"PersistentVolumeClaim", "Pod"})
    status = world.story.status
    assert _reasons(world.story) == {"QuotaExceeded"}
    assert "exceeded quota: team" in status["message"]
    assert status["nextStep"].endswith(f"kubectl -n {world.namespace} describe resourcequota team")

    await limit(world, persistentvolumeclaims=3, pods=1)
    await world.story.until("the quota's words about pods", lambda s: _kinds(s) == {"Pod"})
    assert _reasons(world.story) == {"QuotaExceeded"}

    await limit(world, persistentvolumeclaims=3, pods=20)
    await world.story.until("the joiners have joined", lambda s: len(joined(s)) == 3)
    await world.story.until("that nothing is in the way", lambda s: not s.status.get("obstacles"))
    told = [str(status) for status in world.story.statuses()]
    assert not [one for one in told if "VolumeGone" in one or "claim is gone" in one]


async def test_an_api_server_that_has_too_much_to_do_is_told_when_it_lasts(world: World) -> None:
    await world.operator()
    await world.open()
    await world.write()

    async with throttled(world):
        world.kubelet.kill(*world.majority())
        await world.story.until("that it lasts", lambda s: _reasons(s) == {"Throttled"})
        status = world.story.status
        assert {one["stage"] for one in status["attempt"]["candidates"]} == {"Refused"}
        assert "too many requests" in status["message"].lower()
        assert "it is tried again" in status["nextStep"]

    await world.recovered()
    await world.nothing_is_missing()
    await world.story.until("that nothing is in the way", lambda s: not s.status.get("obstacles"))


async def test_what_a_service_is_made_of_may_be_too_large_and_then_be_corrected(world: World) -> None:
    await world.operator()
    [named] = world.members()
    await world.create(members=[{**named, "data": {"text": '"' * 500_000}}])
    await world.story.until("that it is too large", lambda s: "fit into the first node" in s.status.get("message", ""))
    assert f"the data of member {named['name']}" in world.story.status["message"]
    assert not world.story.status.get("nodes")

    await world.api.patch(world.path, {"spec": {"members": [{**named, "data": {"text": "less"}}]}})
    await world.story.until("members are asked to open", lambda s: s.status.get("phase") == "AwaitingOpen")
