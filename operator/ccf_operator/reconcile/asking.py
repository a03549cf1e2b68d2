"""Asking the nodes of a network side by side, without those that are silent keeping the others waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.render import names

ASK_SECONDS = 2.0
"""How long a node may take to answer, and so how old an answer can be."""
SILENT_SECONDS = 0.2
"""How long a look waits for a node that was silent when it was last asked, or that is ending, so that its address may
lead nowhere. It is given no less time to answer for that: what it says is part of the look in whose time it comes."""


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

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._asked: dict[Addressee, asyncio.Task[NodeAnswers]] = {}
        self._silent: set[Addressee] = set()

    async def answers(self, nodes: Mapping[str, Addressee]) -> dict[str, NodeAnswers]:
        """What each node says, by the same names; a node that has said nothing yet is not reached."""
        for node in nodes.values():
            if node not in self._asked:
                self._asked[node] = asyncio.create_task(self._one(node))
        doubtful = {node for node in nodes.values() if node.ending or node in self._silent}
        await asyncio.gather(
            _all([self._asked[node] for node in nodes.values() if node not in doubtful], None),
            _all([self._asked[node] for node in doubtful], SILENT_SECONDS),
        )
        found = {name: self._said(node) for name, node in nodes.items()}
        self._forget_all_but(set(nodes.values()))
        return found

    async def _one(self, node: Addressee) -> NodeAnswers:
        return await self._ask(node.host, names.OPERATOR_PORT, expected_node_id=node.node_id, timeout=ASK_SECONDS)

    def _said(self, node: Addressee) -> NodeAnswers:
        asked = self._asked[node]
        if not asked.done():
            return NodeAnswers(reached=False, problem="it has been asked, and has not answered yet")
        del self._asked[node]
        answers = asked.result()
        if answers.reached:
            self._silent.discard(node)
        else:
            self._silent.add(node)
        return answers

    def _forget_all_but(self, nodes: set[Addressee]) -> None:
        self._silent &= nodes
        for node in self._asked.keys() - nodes:
            self._asked.pop(node).cancel()


async def _all(tasks: list[asyncio.Task[NodeAnswers]], seconds: float | None) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
