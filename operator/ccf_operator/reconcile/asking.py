"""Asking the nodes of a network side by side, without those that are silent keeping the others waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ccf_operator.ccf.answers import NoAnswer, NodeAnswers
from ccf_operator.render import names

ASK_SECONDS = 2.0
"""How long a node may take to answer, and so how old an answer can be."""
SILENT_SECONDS = 0.2
"""How long a look waits for a node that is asked for the first time, or that is ending, so that its address may lead
nowhere. One that a look has gone on without is not waited for at all until it answers again. It is given no less time
to answer for that: when it does, the next look is at once, and hears it."""


class Ask(Protocol):
    """How a node is asked (`ccf.client.ask`)."""

    async def __call__(
        self,
        host: str,
        port: int,
        *,
        expected_node_id: str | None,
        timeout: float = ASK_SECONDS,  # noqa: ASYNC109 — what has been obtained when time is up is kept
    ) -> NodeAnswers:
        """One poll of one node."""
        ...


@dataclass(frozen=True)
class Addressee:
    """Whom to ask: where it is, the node id it must prove, once that is known, and whether it was told to end."""

    host: str
    node_id: str | None
    ending: bool = False


class Asking:
    """Asks the nodes of one network."""

    def __init__(self, ask: Ask, heard: Callable[[], None]) -> None:
        """`heard` is called when a node has answered that no look waited for any more."""
        self._ask, self._heard = ask, heard
        self._asked: dict[Addressee, asyncio.Task[NodeAnswers]] = {}
        self._answered_at: dict[Addressee, float] = {}
        self._talkers: set[Addressee] = set()
        self._silent: set[Addressee] = set()
        self._silences: dict[Addressee, NoAnswer | None] = {}

    async def answers(self, nodes: Mapping[str, Addressee]) -> dict[str, NodeAnswers]:
        """What each node says, by the same names; a node that has said nothing yet is not reached."""
        wanted = set(nodes.values())
        self._forget_all_but(wanted)
        for node in wanted - self._asked.keys():
            self._asked[node] = asyncio.create_task(self._one(node))
        waited_for = {node for node in wanted if node in self._talkers and not node.ending}
        hoped_for = wanted - waited_for - self._silent
        await asyncio.gather(
            _all([self._asked[node] for node in waited_for], None),
            _all([self._asked[node] for node in hoped_for], SILENT_SECONDS),
        )
        said = {node: self._said(node) for node in wanted}
        return {name: said[node] for name, node in nodes.items()}

    async def _one(self, node: Addressee) -> NodeAnswers:
        answers = await self._ask(node.host, names.OPERATOR_PORT, expected_node_id=node.node_id, timeout=ASK_SECONDS)
        self._answered_at[node] = asyncio.get_running_loop().time()
        self._silences[node] = answers.silence
        return answers

    def _said(self, node: Addressee) -> NodeAnswers:
        asked = self._asked[node]
        if not asked.done():
            self._silent.add(node)
            asked.add_done_callback(self._came_late)
            why = self._silences.get(node)  # of the last time it was asked
            return NodeAnswers(problem="it has been asked, and has not answered yet", silence=why)
        del self._asked[node]
        answers = asked.result()
        if answers.reached:
            self._talkers.add(node)
            self._silent.discard(node)
        else:
            self._talkers.discard(node)
        return answers

    def _came_late(self, asked: asyncio.Task[NodeAnswers]) -> None:
        if not asked.cancelled() and asked.result().reached:
            self._heard()

    def _forget_all_but(self, nodes: set[Addressee]) -> None:
        """Forget nodes that are asked no more, and answers that have become too old."""
        self._talkers &= nodes
        self._silent &= nodes
        now = asyncio.get_running_loop().time()
        for node, asked in list(self._asked.items()):
            too_old = asked.done() and now - self._answered_at.get(node, now) > ASK_SECONDS
            if node not in nodes or too_old:
                self._asked.pop(node).cancel()
        self._answered_at = {node: at for node, at in self._answered_at.items() if node in nodes}
        self._silences = {node: why for node, why in self._silences.items() if node in nodes}


async def _all(tasks: list[asyncio.Task[NodeAnswers]], seconds: float | None) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
