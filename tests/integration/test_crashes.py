"""An operator that is killed over and over: after every kind of write it makes, and at every step of a recovery."""

from __future__ import annotations

import asyncio

import pytest

from integration.world.audit import pods_made_twice
from integration.world.operators import RunningOperator
from integration.world.proxy import Call, Severed
from integration.world.world import MILESTONES, World


class Mortal:
    """An operator that dies at a write, before it hears of its effect, and is started again as often as it takes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.deaths: list[str] = []

    def dies_of(self, call: Call) -> str | None:
        """At what, if it dies now."""
        what = self._world.kind_of(call)
        return what if call.writes and call.status < 300 and what not in self.deaths else None

    async def live(self) -> None:
        """Until cancelled."""
        while True:
            await self._live_once()

    async def _live_once(self) -> None:
        started, died = asyncio.Event(), asyncio.Event()
        now: list[RunningOperator] = []

        async def perhaps_die(call: Call) -> None:
            if not call.writes:
                return
            await started.wait()
            if died.is_set() or (what := self.dies_of(call)) is None:
                return
            self.deaths.append(what)
            now[0].proxy.sever()
            died.set()
            raise Severed

        now.append(await self._world.operator(after=perhaps_die))
        started.set()
        await died.wait()
        await now[0].kill()


class DiesAtSteps(Mortal):
    """Dies at each new phase of the network or its attempt, once it is written."""

    def dies_of(self, call: Call) -> str | None:
        return super().dies_of(call) if call.method == "PUT" and call.path.endswith("/status") else None


@pytest.mark.parametrize(("kind", "deaths"), [(DiesAtSteps, 6), (Mortal, 20)], ids=["each step", "each write"])
async def test_an_operator_killed_over_and_over_goes_on(world: World, kind: type[Mortal], deaths: int) -> None:
    mortal = kind(world)
    living = asyncio.create_task(mortal.live())
    try:
        await world.open()
        await world.write()
        world.kubelet.kill(*world.majority())
        await world.recovered()
        await world.nothing_is_missing()
        await world.told()
    finally:
        living.cancel()

    assert not living.done() or living.cancelled(), living
    assert pods_made_twice(world.story) == []
    assert [past["number"] for past in world.story.status["history"]] == [1]
    assert len(mortal.deaths) >= deaths, mortal.deaths
    died_in = {phase for phase in PHASES if any(phase in death for death in mortal.deaths)}
    assert died_in == PHASES, mortal.deaths
    assert await world.milestones() == MILESTONES


PHASES = {"Fencing", "Recovering", "Joining", "AwaitingMembers"}
