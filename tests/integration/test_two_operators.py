"""Two operators by mistake, as during a rollout: they may cost time, and nothing else."""

from __future__ import annotations

import asyncio
import functools
from contextlib import suppress

import pytest

from ccf_operator.kube.gateway import Gateway
from ccf_operator.render import labels
from ccf_operator.stage.report import ExitCode
from integration.world.api import Raw
from integration.world.audit import pods_made_twice
from integration.world.operators import RunningOperator
from integration.world.proxy import Call
from integration.world.story import PATIENCE, Story
from integration.world.world import World

REFUSED_AS_CLAIMED = {ExitCode.CLAIMED, ExitCode.OUTDATED}
"""How `stage` ends on a generation that has its claim, by whether newer ones have followed on the volume."""


async def test_whoever_loses_the_swap_stops(world: World) -> None:
    """Both want to write each status at the same moment, from the beginning to the end of a recovery."""
    together = Rendezvous()
    first = await world.operator(before=functools.partial(together.meet, 0))
    second = await world.operator(before=functools.partial(together.meet, 1))

    await world.open()
    await world.write()
    world.kubelet.kill(*world.majority())
    await world.recovered()

    await world.nothing_is_missing()
    assert pods_made_twice(world.story) == []
    assert [past["number"] for past in world.story.status["history"]] == [1]
    for one in (first, second):
        assert any(call.status == 409 for call in one.proxy.calls if writes_status(call)), "it never lost"
        assert any(call.status == 200 for call in one.proxy.calls if writes_status(call)), "it never won"
        assert went_on_after_losing(one) == []


@pytest.mark.parametrize("configured", [True, False], ids=["with its ConfigMap", "without"])
async def test_a_request_that_arrives_a_recovery_late_makes_no_second_node(world: World, configured: bool) -> None:
    """The first operator's order for a candidate is held up; the second recovers the network; then it arrives.

    By then the candidate of that name has lost, and its pod is gone; and if so its ConfigMap and its record, too.
    """
    held, arrive, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
    names: list[str] = []

    async def hold(call: Call) -> None:
        if call.method == "POST" and call.path.endswith("/pods") and _is_to_lose(call.json):
            names.append(call.json["metadata"]["name"])
            held.set()
            await arrive.wait()

    async def keep_its_configuration(call: Call) -> None:
        if configured and call.method == "DELETE" and call.path.endswith(f"/configmaps/{names[0]}"):
            arrive.set()
            await gone.wait()

    await world.operator(before=hold)
    await world.open()
    await world.write()
    await world.at_rest()
    world.kubelet.kill(*[one["name"] for one in world.story.nodes(fit=True)])
    async with asyncio.timeout(PATIENCE):
        await held.wait()
    name = names[0]
    await world.operator(before=keep_its_configuration)
    if configured:
        refused = "a second of its name that stage refuses"
        await world.story.until(
            refused, lambda s: len(s.pod_uids.get(name, ())) == 2 and _stage_exit(s, name) in REFUSED_AS_CLAIMED
        )
        gone.set()
    await world.recovered()
    await world.story.until("that the first is forgotten", lambda s: not s.nodes(name=name))
    arrive.set()

    await world.story.until("a second of its name", lambda s: len(s.pod_uids[name]) == 2)
    await world.story.until("the end of that", lambda s: name not in s.pods)
    assert world.kubelet.runs[name].node is None, "CCF ran on a generation that was claimed"
    await world.running()
    await world.nothing_is_missing()


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_clients_are_never_given_an_old_certificate_again(
    world: World, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One operator stops for a whole recovery just as it is about to publish the certificate of the old service."""
    monkeypatch.setattr(Gateway, "connect", functools.partial(Gateway.connect, call_timeout=4 * PATIENCE))
    path = f"/api/v1/namespaces/{world.namespace}/configmaps/bank-service-identity"
    held, go = asyncio.Event(), asyncio.Event()

    async def stop(call: Call) -> None:
        if call.path == path and call.method == method and not held.is_set():
            held.set()
            await go.wait()

    await world.operator()
    await world.open()
    slow = await world.operator(before=stop)
    async with asyncio.timeout(PATIENCE):
        await held.wait()
    world.kubelet.kill(*world.majority())
    await world.recovered()
    go.set()

    await slow.proxy.until(lambda call: call.path == path and call.method == "PATCH" and call.status == 200)
    assert (await world.api.get(path))["data"]["service_cert.pem"].strip() == world.certificate().strip()
    published = [
        call.json["data"] for call in slow.proxy.calls if call.path == path and call.status == 200 and call.body
    ]
    assert {data["recovery_count"] for data in published} == {"1"}


class Rendezvous:
    """Holds a write of the status up until another comes, for a moment: then each of the two operators wins in turn."""

    def __init__(self) -> None:
        self._waiting: asyncio.Future[Call] | None = None
        self._first: Call | None = None
        self._meetings = 0

    async def meet(self, who: int, call: Call) -> None:
        """Wait for a write of the other one, and where it is the other's turn, for its answer."""
        if not writes_status(call):
            return
        if self._waiting is not None and not self._waiting.done() and self._first is not None:
            self._meetings += 1
            other = self._first
            self._waiting.set_result(call)
        else:
            self._waiting, self._first = asyncio.get_running_loop().create_future(), call
            await asyncio.wait({waiting := self._waiting}, timeout=0.2)
            if not waiting.done():
                waiting.cancel()
                return
            other = waiting.result()
        if self._meetings % 2 == who:
            await _answered(other)


async def _answered(call: Call) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(5):
            while not call.status:  # noqa: ASYNC110 - a proxy tells only those who wait for any call
                await asyncio.sleep(0.005)


def writes_status(call: Call) -> bool:
    """Whether a request is a swap of the status."""
    return call.method == "PUT" and call.path.endswith("/status")


def went_on_after_losing(operator: RunningOperator) -> list[str]:
    """Writes, but for the swap itself, that followed a lost swap without all having been looked at again."""
    wrong, lost = [], False
    for call in operator.proxy.calls:
        if call.method == "GET" and call.path.endswith("/pods") and not call.watches:
            lost = False
        elif call.writes and lost and not writes_status(call):
            wrong.append(str(call))
        if writes_status(call):
            lost = call.status == 409
    return wrong


def _is_to_lose(pod: Raw) -> bool:
    """Whether a pod is the candidate on the last of three volumes: where all ledgers are the same, the first wins."""
    claims = [volume.get("persistentVolumeClaim", {}).get("claimName", "") for volume in pod["spec"]["volumes"]]
    return pod["metadata"]["labels"][labels.ROLE] == labels.Role.CANDIDATE.value and any(
        claim.endswith("-2") for claim in claims
    )


def _stage_exit(story: Story, pod: str) -> int | None:
    status = (story.pods.get(pod, {}).get("status") or {}).get("initContainerStatuses") or [{}]
    code: int | None = status[0].get("state", {}).get("terminated", {}).get("exitCode")
    return code
