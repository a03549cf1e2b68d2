from __future__ import annotations

import asyncio

import pytest

from ccf_operator.domain.observation import ReadBytes
from ccf_operator.reconcile import asking_stages
from ccf_operator.reconcile.asking_stages import AskingStages
from ccf_operator.render import names


class Stages:
    """Each says how often it was asked; one that is not to answer does not until it is let."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}
        self.answering = asyncio.Event()
        self.answering.set()
        self.told = asyncio.Event()

    async def __call__(self, host: str, port: int) -> ReadBytes | None:
        assert port == names.STAGE_PORT
        await self.answering.wait()
        self.asked[host] = self.asked.get(host, 0) + 1
        self.told.set()
        return ReadBytes(self.asked[host], 10) if host != "dumb" else None


async def heard(stages: Stages) -> None:
    """Until one more has answered and may be asked again."""
    await stages.told.wait()
    stages.told.clear()
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_look_shows_what_was_said_last_and_has_them_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_stages, "AGAIN_SECONDS", 0)
    stages = Stages()
    asking = AskingStages(stages)
    assert asking.said({"a": "1"}) == {}
    await heard(stages)
    assert asking.said({"a": "1"}) == {"a": ReadBytes(1, 10)}
    await heard(stages)
    assert asking.said({"a": "1"}) == {"a": ReadBytes(2, 10)}


async def test_one_that_does_not_answer_keeps_nobody_waiting_and_is_shown_as_it_was() -> None:
    stages = Stages()
    asking = AskingStages(stages)
    asking.said({"a": "1", "d": "dumb"})
    await heard(stages)
    stages.answering.clear()
    assert asking.said({"a": "1", "d": "dumb"}) == {"a": ReadBytes(1, 10)}
    assert asking.said({}) == {}
    assert asking.said({"a": "1"}) == {}, "what another pod said at this address is forgotten"


async def test_nobody_is_asked_where_no_stage_runs() -> None:
    stages = Stages()
    assert AskingStages(stages).said({}) == {}
    await asyncio.sleep(0)
    assert stages.asked == {}
