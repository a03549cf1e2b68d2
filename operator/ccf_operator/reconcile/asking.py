"""Asking the nodes of a network side by side, without those that are silent keeping the others waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from ccf_operator.ccf.answers import NoAnswer, NodeAnswers
from ccf_operator.render import names

ASK_SECONDS = 2.0
"""How long a look waits for a node, and how old an answer may become before it is heard."""
CHANCE_SECONDS = 10.0
"""How long a node may take to answer: its full chance to be heard before anything is destroyed. CCF was seen to need
5.4 s for `/node/state` while it fed a joiner."""
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
        so_far: Callable[[NodeAnswers], None],
    ) -> NodeAnswers:
        """One poll of one node; `so_far` is told what it has said after each of its answers."""
        ...


@dataclass(frozen=True)
class Addressee:
    """Whom to ask: where it is, the node id it must prove, once that is known, and whether it was told to end."""

    host: str
    node_id: str | None
    ending: bool = False


@dataclass
class _Poll:
    """One poll of one node: what it has said so far, and when it last said something."""

    task: asyncio.Task[NodeAnswers] | None = None
    said: NodeAnswers | None = None
    said_at: float = 0.0
    gone_on_without: bool = False
    """Whether a look has not waited for it any longer."""

    def hear(self, answers: NodeAnswers) -> None:
        self.said, self.said_at = answers, _now()

    @property
    def done(self) -> bool:
        return self.task is not None and self.task.done()

    @property
    def is_old(self) -> bool:
        """Whether what it has said is too old to be told."""
        return _now() - self.said_at > ASK_SECONDS


class Asking:
    """Asks the nodes of one network."""

    def __init__(self, ask: Ask, heard: Callable[[], None]) -> None:
        """`heard` is called when a node has answered that no look waited for any more."""
        self._ask, self._heard = ask, heard
        self._polls: dict[Addressee, _Poll] = {}
        self._talkers: set[Addressee] = set()
        self._silent: set[Addressee] = set()
        self._silences: dict[Addressee, NoAnswer | None] = {}
        self._had_their_chance: set[Addressee] = set()
        """Nodes that did not answer within their full time, and have not since."""

    async def answers(self, nodes: Mapping[str, Addressee]) -> dict[str, NodeAnswers]:
        """What each node says, by the same names; a node that has said nothing yet is not reached."""
        wanted = set(nodes.values())
        self._forget_all_but(wanted)
        for node in wanted - self._polls.keys():
            self._begin(node)
        waited_for = {node for node in wanted if node in self._talkers and not node.ending} - self._silent
        hoped_for = wanted - waited_for - self._silent
        await asyncio.gather(
            _all([self._polls[node] for node in waited_for], ASK_SECONDS),
            _all([self._polls[node] for node in hoped_for], SILENT_SECONDS),
        )
        said = {node: self._said(node) for node in wanted}
        return {name: said[node] for name, node in nodes.items()}

    def _begin(self, node: Addressee) -> None:
        poll = self._polls[node] = _Poll()
        poll.task = asyncio.create_task(self._one(node, poll))

    async def _one(self, node: Addressee, poll: _Poll) -> NodeAnswers:
        answers = await self._ask(
            node.host,
            names.OPERATOR_PORT,
            expected_node_id=node.node_id,
            timeout=CHANCE_SECONDS,
            so_far=poll.hear,
        )
        poll.hear(answers)
        self._silences[node] = answers.silence
        return answers

    def _said(self, node: Addressee) -> NodeAnswers:
        poll = self._polls[node]
        assert poll.task is not None
        if not poll.done:
            if not poll.gone_on_without:
                poll.gone_on_without = True
                poll.task.add_done_callback(self._came_late)
            self._silent.add(node)
            return self._said_so_far(node, poll)
        del self._polls[node]
        answers = poll.task.result()
        if answers.reached:
            self._talkers.add(node)
            self._silent.discard(node)
            self._had_their_chance.discard(node)
        else:
            self._talkers.discard(node)
            self._had_their_chance.add(node)
        return answers

    def _said_so_far(self, node: Addressee, poll: _Poll) -> NodeAnswers:
        """What a node has said that is still being asked; only while that is new, for it is not asked anew."""
        awaited = node not in self._had_their_chance
        if poll.said is not None and not poll.is_old:
            return replace(poll.said, awaited=awaited)
        why = self._silences.get(node)  # of the last time it was asked
        return NodeAnswers(problem="it has been asked, and has not answered yet", silence=why, awaited=awaited)

    def _came_late(self, asked: asyncio.Task[NodeAnswers]) -> None:
        if not asked.cancelled() and asked.result().reached:
            self._heard()

    def _forget_all_but(self, nodes: set[Addressee]) -> None:
        """Forget nodes that are asked no more, and answers that have become too old."""
        self._talkers &= nodes
        self._silent &= nodes
        self._had_their_chance &= nodes
        for node, poll in list(self._polls.items()):
            if node not in nodes or (poll.done and poll.is_old):
                del self._polls[node]
                assert poll.task is not None
                poll.task.cancel()
            if node in nodes and poll.done and poll.said is not None and not poll.said.reached:
                self._had_their_chance.add(node)  # between two looks
        self._silences = {node: why for node, why in self._silences.items() if node in nodes}


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _all(polls: list[_Poll], seconds: float) -> None:
    if tasks := [poll.task for poll in polls if poll.task is not None]:
        await asyncio.wait(tasks, timeout=seconds)
