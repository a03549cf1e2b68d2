from __future__ import annotations

import asyncio

import pytest

from ccf_operator.ccf.governance_answers import GovernanceAnswers
from ccf_operator.reconcile import asking_members
from ccf_operator.reconcile.asking import Addressee
from ccf_operator.reconcile.asking_members import AskingMembers

HERE, THERE = Addressee("10.0.0.1", "aa"), Addressee("10.0.0.2", "bb")


class Primary:
    """Answers when it is let; each answer has the number of the question."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.speaks = asyncio.Event()
        self.given_up = 0
        self.heard = asyncio.Event()

    async def ask(
        self,
        host: str,
        port: int,
        *,
        expected_node_id: str,
        timeout: float = 2.0,  # noqa: ASYNC109
    ) -> GovernanceAnswers:
        self.asked.append((host, expected_node_id))
        number = len(self.asked)
        try:
            await self.speaks.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return GovernanceAnswers(recovery_threshold=number)


def asking_of(primary: Primary) -> AskingMembers:
    return AskingMembers(primary.ask, primary.heard.set)


async def test_each_look_has_an_answer_of_its_own() -> None:
    primary = Primary()
    primary.speaks.set()
    asking = asking_of(primary)
    said = [await asking.answers(HERE) for _ in range(2)]
    assert said == [GovernanceAnswers(recovery_threshold=1), GovernanceAnswers(recovery_threshold=2)]
    assert not primary.heard.is_set(), "nothing came late"


async def test_nobody_is_asked_where_there_is_nobody_or_it_is_not_known_who() -> None:
    primary = Primary()
    asking = asking_of(primary)
    assert await asking.answers(None) is None
    assert await asking.answers(Addressee("10.0.0.1", None)) is None
    assert primary.asked == []


async def test_one_that_hangs_delays_a_look_by_little_and_is_heard_in_the_next() -> None:
    primary = Primary()
    asking = asking_of(primary)
    async with asyncio.timeout(30):  # the primary itself would hang for ever
        assert await asking.answers(HERE) is None
    primary.speaks.set()
    await asyncio.wait_for(primary.heard.wait(), 30)
    assert await asking.answers(HERE) == GovernanceAnswers(recovery_threshold=1)
    assert len(primary.asked) == 1


async def test_another_primary_is_asked_anew() -> None:
    primary = Primary()
    asking = asking_of(primary)
    assert await asking.answers(HERE) is None
    primary.speaks.set()
    assert await asking.answers(THERE) == GovernanceAnswers(recovery_threshold=2)
    assert primary.asked == [("10.0.0.1", "aa"), ("10.0.0.2", "bb")]
    assert primary.given_up == 1


async def test_an_answer_that_has_become_old_counts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    primary = Primary()
    asking = asking_of(primary)
    assert await asking.answers(HERE) is None
    primary.speaks.set()
    await asyncio.wait_for(primary.heard.wait(), 30)
    monkeypatch.setattr(asking_members, "ASK_SECONDS", -1.0)
    assert await asking.answers(HERE) == GovernanceAnswers(recovery_threshold=2)
