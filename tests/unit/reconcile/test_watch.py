"""Which events start a loop and which wake one."""

from __future__ import annotations

import asyncio
from typing import Any

from ccf_operator.domain.observation import Observation
from ccf_operator.domain.plan import Plan
from ccf_operator.kube.gateway import Gateway
from ccf_operator.reconcile.act import Actor
from ccf_operator.reconcile.loop import NetworkLoop
from ccf_operator.reconcile.observe import Observer
from ccf_operator.reconcile.signing_member import SigningMember
from ccf_operator.reconcile.watch import Watchers
from ccf_operator.render.order import Platform


def unreachable(observation: Observation) -> Plan:
    raise AssertionError(f"nothing of {observation.name} can have been read")


class Built:
    """Loops whose API server cannot be reached, so that they go on looking for it."""

    def __init__(self) -> None:
        self.loops: list[NetworkLoop] = []

    def __call__(self, namespace: str, name: str, uid: str) -> NetworkLoop:
        gateway = Gateway(None)
        member = SigningMember(gateway.get_secret)
        observer, actor = Observer(gateway, member=member), Actor(gateway, Platform("operator"), member)
        self.loops.append(NetworkLoop(gateway, observer, actor, unreachable, namespace, name, uid))
        return self.loops[-1]


def network(uid: str = "1", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "money", "name": "bank", "uid": uid, "generation": 1, **metadata}}


async def test_one_loop_for_each_object_however_often_it_is_seen() -> None:
    built = Built()
    watchers = Watchers(built)

    for _ in range(3):
        watchers.network_seen(network())
    watchers.network_seen({"metadata": {**network()["metadata"], "name": "vault", "uid": "2"}})

    assert [loop.name for loop in built.loops] == ["bank", "vault"]
    assert len(watchers) == 2
    await watchers.close()


async def test_our_own_status_wakes_nobody_and_the_users_changes_do() -> None:
    built = Built()
    watchers = Watchers(built)
    watchers.network_seen(network())
    [loop] = built.loops

    watchers.network_seen({**network(resourceVersion="9"), "status": {"phase": "Running"}})
    assert not loop.wake.is_set()

    for change in (
        {"generation": 2},
        {"deletionTimestamp": "2026-01-01T00:00:00Z"},
        {"annotations": {"ccf.dev/approve": "1"}},
        {"finalizers": ["other"]},
    ):
        loop.wake.clear()
        watchers.network_seen(network(**change))
        assert loop.wake.is_set(), change
    await watchers.close()


async def test_a_pod_wakes_its_own_network_only() -> None:
    built = Built()
    watchers = Watchers(built)
    watchers.network_seen(network())
    watchers.network_seen({"metadata": {**network()["metadata"], "name": "vault", "uid": "2"}})

    watchers.wake("money", "vault")
    watchers.wake("elsewhere", "bank")

    assert [loop.wake.is_set() for loop in built.loops] == [False, True]
    await watchers.close()


async def test_an_object_made_anew_under_the_same_name_has_a_loop_of_its_own() -> None:
    built = Built()
    watchers = Watchers(built)

    watchers.network_seen(network(uid="1"))
    watchers.network_seen(network(uid="2"))

    assert [loop.uid for loop in built.loops] == ["1", "2"]
    await watchers.close()


async def test_no_failure_ends_a_loop_and_closing_does() -> None:
    watchers = Watchers(Built())
    watchers.network_seen(network())
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(watchers) == 1

    await watchers.close()

    assert len(watchers) == 0
    watchers.network_seen(network())
    assert len(watchers) == 0
