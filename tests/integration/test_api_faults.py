"""The API server at its worst, while a network is being recovered."""

from __future__ import annotations

import asyncio
import functools
import itertools

import pytest

from ccf_operator.kube.gateway import Gateway
from ccf_operator.render import labels
from integration.world.api import Api, ApiError
from integration.world.audit import pods_made_twice
from integration.world.operators import RunningOperator
from integration.world.proxy import Call, Refused, Severed
from integration.world.world import MILESTONES, World


async def test_a_storm_of_writes_by_others_costs_time_and_nothing_else(world: World) -> None:
    """Two of three status writes are beaten by somebody else's write to the same object."""
    numbers = itertools.count()

    async def be_faster(call: Call) -> None:
        if not _writes_status(call) or (number := next(numbers)) % 3 == 2:
            return
        if number % 2:
            await world.api.patch(world.path, {"metadata": {"annotations": {"by": f"another-{number}"}}})
        else:
            await world.api.patch(f"{world.path}/status", {"status": {"message": f"by another {number}"}})

    operator = await world.operator(before=be_faster)
    await world.open()
    await world.write()
    world.kubelet.kill(*world.majority())
    await world.recovered()

    await world.nothing_is_missing()
    assert sum(call.status == 409 for call in operator.proxy.calls if _writes_status(call)) > 10
    assert _went_on_after_losing(operator) == []
    assert pods_made_twice(world.story) == []


async def test_somebody_who_annotates_the_network_without_a_pause_starves_nobody(world: World) -> None:
    async def annotate() -> None:
        for number in itertools.count():
            await world.api.patch(world.path, {"metadata": {"annotations": {"by": f"another-{number}"}}})
            await asyncio.sleep(0.005)

    operator = await world.operator()
    await world.open()
    await world.write()
    annotating = asyncio.create_task(annotate())
    try:
        world.kubelet.kill(*world.majority())
        await world.recovered()
    finally:
        annotating.cancel()

    await world.nothing_is_missing()
    assert any(call.status == 409 for call in operator.proxy.calls if _writes_status(call))


async def test_a_loss_is_found_and_mended_without_any_watch(world: World) -> None:
    """Nor any list that a watch begins with anew: all that is left are the looks that nothing wakes."""
    broken = False

    async def refuse_watches(call: Call) -> None:
        if broken and (call.watches or _begins_a_watch(call)):
            raise Severed

    operator = await world.operator(before=refuse_watches)
    await world.open()
    await world.write()

    await operator.at_rest()
    broken = True
    assert operator.proxy.break_watches() >= 4
    world.kubelet.kill(*world.majority())
    await world.recovered()

    await world.nothing_is_missing()


async def test_watches_that_break_again_and_again_are_taken_up_again(world: World) -> None:
    operator = await world.operator()
    await world.open()

    for _ in range(3):
        opened = _watches_opened(operator)
        again = opened + operator.proxy.break_watches()
        assert again >= opened + 4
        await operator.proxy.until(lambda _, wanted=again: _watches_opened(operator) >= wanted)  # type: ignore[misc]
    await world.api.patch(world.path, {"spec": {"nodes": 4}})

    await world.story.until("another joiner", lambda s: len(s.nodes()) == 4)


async def test_an_api_server_that_restarts_in_the_middle_is_no_reason_to_begin_anew(world: World) -> None:
    operator = await world.operator()
    await world.open()
    await world.write()
    old = await _version(world.api, world)

    world.kubelet.kill(*world.majority())
    await world.story.until("an attempt", lambda s: s.attempt)
    await asyncio.to_thread(world.control_plane.api_server.kill)
    world.control_plane.api_server.start()
    await asyncio.to_thread(world.control_plane.wait_ready)
    await world.recovered()

    await world.nothing_is_missing()
    assert [past["number"] for past in world.story.status["history"]] == [1]
    assert pods_made_twice(world.story) == []
    with pytest.raises(ApiError, match="410"):
        await _watch_from(world, old)
    assert any(call.expired for call in operator.proxy.calls if call.watches), "the operator met no 410"


async def test_an_etcd_that_hangs_in_the_middle_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gateway, "connect", functools.partial(Gateway.connect, call_timeout=2.0))
    operator = await world.operator()
    await world.open()
    await world.write()

    world.kubelet.kill(*world.majority())
    await world.story.until("an attempt", lambda s: s.attempt)
    world.control_plane.etcd.freeze()
    try:
        await operator.proxy.abandoned()
    finally:
        world.control_plane.etcd.thaw()
    await world.recovered()

    await world.nothing_is_missing()
    assert [past["number"] for past in world.story.status["history"]] == [1]


async def test_writes_that_are_refused_or_answered_into_the_void_happen_once(world: World) -> None:
    """Of every kind of write the first fails: it is refused, or it takes effect and the operator never hears of it."""
    refused: set[str] = set()
    lost: set[str] = set()

    async def refuse(call: Call) -> None:
        if call.writes and (what := world.kind_of(call)) not in refused | lost and len(refused) <= len(lost):
            refused.add(what)
            raise Refused((429, 500, 503)[len(refused) % 3])

    async def lose(call: Call) -> None:
        if call.writes and call.status < 300 and (what := world.kind_of(call)) not in refused | lost:
            lost.add(what)
            raise Severed

    await world.operator(before=refuse, after=lose)
    await world.open()
    await world.write()
    world.kubelet.kill(*world.majority())
    await world.recovered()

    await world.nothing_is_missing()
    await world.told()
    assert await world.milestones() == MILESTONES
    assert len(refused) > 8
    assert len(lost) > 8
    assert pods_made_twice(world.story) == []


def _writes_status(call: Call) -> bool:
    return call.method == "PUT" and call.path.endswith("/status")


def _begins_a_watch(call: Call) -> bool:
    """Whether all networks, or all that is ours of whatever network, is listed: looks list what is of one network."""
    of_all = call.query.get("labelSelector") == labels.to_selector({labels.MANAGED_BY: labels.FIELD_MANAGER})
    return call.method == "GET" and (of_all or call.path.endswith("/ccfnetworks"))


def _watches_opened(operator: RunningOperator) -> int:
    return sum(call.watches and call.status == 200 for call in operator.proxy.calls)


def _went_on_after_losing(operator: RunningOperator) -> list[str]:
    """Writes, but for the swap itself, that followed a lost swap without all having been looked at again."""
    wrong, lost = [], False
    for call in operator.proxy.calls:
        if call.method == "GET" and call.path.endswith("/pods") and not call.watches:
            lost = False
        elif call.writes and lost and not _writes_status(call):
            wrong.append(str(call))
        if _writes_status(call):
            lost = call.status == 409
    return wrong


async def _version(api: Api, world: World) -> str:
    return str((await api.get(world.path))["metadata"]["resourceVersion"])


async def _watch_from(world: World, version: str) -> None:
    collection = world.path.rpartition("/")[0]
    async with asyncio.timeout(5):
        async for _ in world.api.changes(collection, version):
            pass
