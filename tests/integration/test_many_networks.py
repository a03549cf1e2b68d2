"""Networks that cannot start, beside one that is lost and recovered: they may cost it nothing."""

from __future__ import annotations

import asyncio
from collections import Counter

from ccf_operator.kube.turns import AT_ONCE, UNHURRIED_AT_ONCE
from integration.manifests import minimal
from integration.world.proxy import Call
from integration.world.world import World

BROKEN = 60


class Load:
    """How many requests are under way at once, and how many of them are about networks that cannot start."""

    def __init__(self) -> None:
        self.most: Counter[str] = Counter()
        self._now: Counter[str] = Counter()

    async def begins(self, call: Call) -> None:
        if not call.watches:
            for kind in self._kinds(call):
                self._now[kind] += 1
                self.most[kind] = max(self.most[kind], self._now[kind])
            await asyncio.sleep(0.02)  # an API server that has other work, too

    async def ends(self, call: Call) -> None:
        if not call.watches:
            self._now.subtract(self._kinds(call))

    def _kinds(self, call: Call) -> list[str]:
        return ["all", *(["broken"] if "broken-" in f"{call.path} {call.query}" else [])]


async def test_networks_that_cannot_start_do_not_starve_one_that_is_recovered(world: World) -> None:
    load = Load()
    collection = world.path.rpartition("/")[0]
    for number in range(BROKEN):
        name = f"broken-{number}"
        missing = {"configMapRef": {"name": f"{name}-constitution"}}
        await world.api.ask("POST", collection, minimal(name, constitution=missing))
    operator = await world.operator(before=load.begins, after=load.ends)
    await world.open()
    await world.write()
    world.kubelet.kill(*world.majority())
    await world.recovered()

    await world.nothing_is_missing()
    assert operator.proxy.gave_up == 0, "a request has timed out"
    assert load.most["all"] <= AT_ONCE
    assert load.most["broken"] <= UNHURRIED_AT_ONCE
    seen = {call.path for call in operator.proxy.calls}
    assert all(f"{collection}/broken-{number}" in seen for number in range(BROKEN)), "nobody is forgotten"
