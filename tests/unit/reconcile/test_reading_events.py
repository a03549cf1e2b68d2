from __future__ import annotations

import asyncio
from typing import Any

from ccf_operator.domain.observation import ContainerView
from ccf_operator.kube.errors import Forbidden
from ccf_operator.reconcile.reading_events import FIRST, LONGEST, ReadingEvents, stuck
from unit.domain import given


class Events:
    """Tells of each object how often it was read about."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.forbidden = False

    async def __call__(self, namespace: str, uid: str) -> list[dict[str, Any]]:
        assert namespace == "bank"
        self.read.append(uid)
        if self.forbidden:
            raise Forbidden("events are forbidden")
        return [{"eventTime": "2026-01-01T00:00:00Z", "reason": "FailedMount", "note": f"read {len(self.read)}"}]


class Given:
    """Readings at times that a test sets."""

    def __init__(self) -> None:
        self.events, self.now, self.heard = Events(), 0.0, 0
        self.reading = ReadingEvents(self.events, self._hear, lambda: self.now)

    def _hear(self) -> None:
        self.heard += 1

    async def said(self, after: float, *uids: str) -> dict[str, list[str]]:
        """What is shown at a time, once all that is being read is there."""
        self.now = after
        self.reading.said("bank", uids)
        for _ in range(5):
            await asyncio.sleep(0)
        return {uid: [one.message for one in events] for uid, events in self.reading.said("bank", uids).items()}


async def test_what_is_stuck_for_a_moment_is_not_read_about_and_later_ever_more_seldom() -> None:
    world = Given()
    assert await world.said(0, "a") == {}
    assert await world.said(FIRST - 1, "a") == {}
    assert world.events.read == []
    assert await world.said(FIRST, "a") == {"a": ["read 1"]}
    assert world.heard == 1
    assert await world.said(FIRST + 9, "a") == {"a": ["read 1"]}
    assert await world.said(FIRST + 10, "a") == {"a": ["read 2"]}
    for second in range(1000):
        await world.said(100 + second, "a")
    assert len(world.events.read) <= 3 + 1000 / LONGEST


async def test_what_has_come_further_is_forgotten_and_begins_anew() -> None:
    world = Given()
    await world.said(0, "a")
    assert await world.said(FIRST, "a") == {"a": ["read 1"]}
    assert await world.said(FIRST + 1) == {}
    assert await world.said(FIRST + 2, "a") == {}
    assert await world.said(2 * FIRST, "a") == {}
    assert world.events.read == ["a"]


async def test_where_events_cannot_be_read_what_was_known_stays_and_nothing_is_asked_for_at_every_look() -> None:
    world = Given()
    await world.said(0, "a")
    await world.said(FIRST, "a")
    world.events.forbidden = True
    assert await world.said(FIRST + 10, "a") == {"a": ["read 1"]}
    assert await world.said(FIRST + 11, "a") == {"a": ["read 1"]}
    assert world.events.read == ["a", "a"]


def test_stuck_are_pods_and_claims_of_ours_that_do_not_come_further() -> None:
    waits: dict[str, Any] = {"stage": ContainerView(), "ccf": ContainerView(), "ip": None, "phase": "Pending"}
    pods = [given.pod("a", **waits), given.pod("b"), given.pod("c", **waits, owner_uid="another")]
    unbound: dict[str, Any] = {"phase": "Pending", "volume_name": None}
    claims = [given.claim("v", **unbound), given.claim("w"), given.claim("x", **unbound)]
    assert stuck(pods, claims, given.UID, {"v", "w"}) == {"uid-a", "uid-v"}
    assert stuck([given.pod("b")], [given.claim("w")], given.UID, {"v", "w"}) == frozenset()
