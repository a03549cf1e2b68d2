from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.reconcile.asking import SILENT_SECONDS, Addressee, Asking

HERE, THERE = Addressee("10.0.0.1", "aa"), Addressee("10.0.0.2", "bb")


class Nodes:
    """Nodes that answer when they are let."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.reached = {HERE.host: True, THERE.host: True}
        self.speaks = {host: asyncio.Event() for host in self.reached}
        self.says_first: dict[str, NodeAnswers] = {}
        self.given_up = 0
        self.heard = asyncio.Event()

    def let(self, *nodes: Addressee) -> None:
        for node in nodes:
            self.speaks[node.host].set()

    async def ask(
        self,
        host: str,
        port: int,
        *,
        expected_node_id: str | None,
        timeout: float = 2.0,  # noqa: ASYNC109
        so_far: Callable[[NodeAnswers], None],
    ) -> NodeAnswers:
        self.asked.append((host, expected_node_id))
        if host in self.says_first:
            so_far(self.says_first[host])
        try:
            await self.speaks[host].wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return NodeAnswers(reached=self.reached[host], problem=host)


def asking_of(nodes: Nodes) -> Asking:
    return Asking(nodes.ask, nodes.heard.set)


async def test_all_are_asked_side_by_side_and_answer_under_their_names() -> None:
    nodes = Nodes()
    look = asyncio.create_task(asking_of(nodes).answers({"a": HERE, "b": THERE}))
    while len(nodes.asked) < 2:  # noqa: ASYNC110 — both are asked before either has answered
        await asyncio.sleep(0)
    nodes.let(HERE, THERE)
    found = await look
    assert sorted(nodes.asked) == [("10.0.0.1", "aa"), ("10.0.0.2", "bb")]
    assert {name: answers.problem for name, answers in found.items()} == {"a": HERE.host, "b": THERE.host}


async def test_one_that_was_silent_keeps_nobody_waiting_and_is_heard_in_the_next_look() -> None:
    nodes, both = Nodes(), {"a": HERE, "b": THERE}
    asking = asking_of(nodes)
    nodes.let(HERE)
    async with asyncio.timeout(30):
        found = await asking.answers(both)
    assert (found["a"].reached, found["b"].reached) == (True, False)
    assert not nodes.heard.is_set()

    nodes.let(THERE)
    await nodes.heard.wait()
    assert (await asking.answers(both))["b"].reached
    assert nodes.asked.count((THERE.host, "bb")) == 1, "the question of the first look was answered in the second"


async def test_one_that_looks_went_on_without_is_not_waited_for_again_until_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes, both = Nodes(), {"a": HERE, "b": THERE}
    asking = asking_of(nodes)
    nodes.let(HERE)
    await asking.answers(both)
    monkeypatch.setattr("ccf_operator.reconcile.asking.SILENT_SECONDS", 60.0)
    async with asyncio.timeout(30):
        assert not (await asking.answers(both))["b"].reached

    nodes.let(THERE)
    await nodes.heard.wait()
    await asking.answers(both)
    nodes.speaks[THERE.host].clear()
    asyncio.get_running_loop().call_later(0.2, nodes.let, THERE)
    assert (await asking.answers(both))["b"].reached, "it is waited for like any other again"


async def test_one_that_refuses_wakes_nobody() -> None:
    nodes = Nodes()
    asking = asking_of(nodes)
    nodes.reached[THERE.host] = False
    await asking.answers({"b": THERE})
    nodes.let(THERE)
    assert not (await asking.answers({"b": THERE}))["b"].reached
    assert not nodes.heard.is_set()


async def test_one_that_has_answered_is_waited_for() -> None:
    nodes, both = Nodes(), {"a": HERE, "b": THERE}
    asking = asking_of(nodes)
    nodes.let(HERE, THERE)
    await asking.answers(both)
    nodes.speaks[THERE.host].clear()
    asyncio.get_running_loop().call_later(2 * SILENT_SECONDS, nodes.let, THERE)
    assert (await asking.answers(both))["b"].reached


async def test_one_that_is_ending_keeps_nobody_waiting_though_it_has_answered() -> None:
    nodes, ending = Nodes(), Addressee(THERE.host, "bb", ending=True)
    asking = asking_of(nodes)
    nodes.let(ending)
    assert (await asking.answers({"b": ending}))["b"].reached
    nodes.speaks[THERE.host].clear()
    async with asyncio.timeout(30):
        assert not (await asking.answers({"b": ending}))["b"].reached


async def test_every_look_asks_anew() -> None:
    nodes = Nodes()
    asking = asking_of(nodes)
    nodes.let(HERE)
    for _ in range(3):
        await asking.answers({"a": HERE})
    assert len(nodes.asked) == 3


async def test_an_answer_that_no_look_has_taken_in_time_is_asked_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes()
    asking = asking_of(nodes)
    await asking.answers({"b": THERE})
    nodes.let(THERE)
    await nodes.heard.wait()
    monkeypatch.setattr("ccf_operator.reconcile.asking.ASK_SECONDS", -1.0)
    await asking.answers({"b": THERE})
    assert len(nodes.asked) == 2


async def test_one_that_is_asked_no_more_is_let_go() -> None:
    nodes = Nodes()
    asking = asking_of(nodes)
    nodes.let(HERE)
    await asking.answers({"a": HERE, "b": THERE})
    await asking.answers({"a": HERE})
    await asyncio.sleep(0)
    assert nodes.given_up == 1


# The full chance


async def test_one_that_has_not_answered_yet_is_awaited_until_it_has_or_its_time_is_up() -> None:
    nodes = Nodes()
    asking = asking_of(nodes)
    assert (await asking.answers({"b": THERE}))["b"].awaited
    assert (await asking.answers({"b": THERE}))["b"].awaited, "it may still answer what the first look asked"
    nodes.reached[THERE.host] = False
    nodes.let(THERE)
    assert not (await asking.answers({"b": THERE}))["b"].awaited
    nodes.speaks[THERE.host].clear()
    assert not (await asking.answers({"b": THERE}))["b"].awaited, "it is silent, and holds nobody up any more"

    nodes.reached[THERE.host] = True
    nodes.let(THERE)
    await nodes.heard.wait()
    assert (await asking.answers({"b": THERE}))["b"].reached
    nodes.speaks[THERE.host].clear()
    nodes_before = len(nodes.asked)
    asking_again = await asking.answers({"b": Addressee(THERE.host, "bb", ending=True)})
    assert asking_again["b"].awaited
    assert len(nodes.asked) == nodes_before + 1


async def test_what_one_has_said_so_far_is_told_while_it_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes()
    asking = asking_of(nodes)
    nodes.says_first[THERE.host] = NodeAnswers(reached=True, node_id="bb")
    found = (await asking.answers({"b": THERE}))["b"]
    assert (found.reached, found.node_id, found.awaited) == (True, "bb", True)
    monkeypatch.setattr("ccf_operator.reconcile.asking.ASK_SECONDS", -1.0)
    assert not (await asking.answers({"b": THERE}))["b"].reached, "it may have ended since"


async def test_a_look_waits_no_longer_for_one_that_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes()
    asking = asking_of(nodes)
    nodes.let(THERE)
    assert (await asking.answers({"b": THERE}))["b"].reached
    nodes.speaks[THERE.host].clear()
    monkeypatch.setattr("ccf_operator.reconcile.asking.ASK_SECONDS", 0.1)
    async with asyncio.timeout(30):
        assert (await asking.answers({"b": THERE}))["b"].awaited
    nodes.let(THERE)
    await nodes.heard.wait()
    assert (await asking.answers({"b": THERE}))["b"].reached
