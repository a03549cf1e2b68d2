from __future__ import annotations

import asyncio

from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.reconcile.asking import Addressee, Asking

HERE, THERE = Addressee("10.0.0.1", "aa"), Addressee("10.0.0.2", None)


class Nodes:
    """Nodes that answer when they are let."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.reached = {HERE.host: True, THERE.host: True}
        self.speaks = {host: asyncio.Event() for host in self.reached}
        self.given_up = 0

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
    ) -> NodeAnswers:
        self.asked.append((host, expected_node_id))
        try:
            await self.speaks[host].wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return NodeAnswers(reached=self.reached[host], problem=host)


async def test_all_are_asked_side_by_side_and_answer_under_their_names() -> None:
    nodes = Nodes()
    look = asyncio.create_task(Asking(nodes.ask).answers({"a": HERE, "b": THERE}))
    while len(nodes.asked) < 2:  # noqa: ASYNC110 — both are asked before either has answered
        await asyncio.sleep(0)
    nodes.let(HERE, THERE)
    found = await look
    assert nodes.asked == [("10.0.0.1", "aa"), ("10.0.0.2", None)]
    assert {name: answers.problem for name, answers in found.items()} == {"a": HERE.host, "b": THERE.host}


async def test_one_that_was_silent_is_heard_in_a_later_look_and_keeps_nobody_waiting() -> None:
    nodes, both = Nodes(), {"a": HERE, "b": THERE}
    asking = Asking(nodes.ask)
    nodes.reached[THERE.host] = False
    nodes.let(HERE, THERE)
    assert not (await asking.answers(both))["b"].reached

    nodes.speaks[THERE.host].clear()
    nodes.reached[THERE.host] = True
    async with asyncio.timeout(1):
        found = await asking.answers(both)
    assert found["a"].reached
    assert not found["b"].reached

    nodes.let(THERE)
    assert (await asking.answers(both))["b"].reached
    assert nodes.asked.count((THERE.host, None)) == 2, "the second question was answered in the third look"


async def test_one_that_has_answered_is_waited_for() -> None:
    nodes, both = Nodes(), {"a": HERE, "b": THERE}
    asking = Asking(nodes.ask)
    nodes.let(HERE, THERE)
    await asking.answers(both)
    nodes.speaks[THERE.host].clear()
    asyncio.get_running_loop().call_later(0.4, nodes.let, THERE)
    assert (await asking.answers(both))["b"].reached


async def test_every_look_asks_anew() -> None:
    nodes = Nodes()
    asking = Asking(nodes.ask)
    nodes.let(HERE)
    for _ in range(3):
        await asking.answers({"a": HERE})
    assert len(nodes.asked) == 3


async def test_one_that_is_asked_no_more_is_let_go() -> None:
    nodes = Nodes()
    asking = Asking(nodes.ask)
    nodes.reached[THERE.host] = False
    nodes.let(HERE, THERE)
    await asking.answers({"a": HERE, "b": THERE})
    nodes.speaks[THERE.host].clear()
    await asking.answers({"a": HERE, "b": THERE})
    await asking.answers({"a": HERE})
    await asyncio.sleep(0)
    assert nodes.given_up == 1


async def test_one_that_is_ending_keeps_nobody_waiting() -> None:
    nodes, ending = Nodes(), Addressee(THERE.host, None, ending=True)
    asking = Asking(nodes.ask)
    nodes.let(HERE)
    async with asyncio.timeout(1):
        found = await asking.answers({"a": HERE, "b": ending})
    assert found["a"].reached
    assert not found["b"].reached
    nodes.let(ending)
    assert (await asking.answers({"a": HERE, "b": ending}))["b"].reached
