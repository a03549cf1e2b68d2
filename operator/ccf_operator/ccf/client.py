"""Asking a CCF node, over TLS that proves which node answers.

The node id of the peer is read from the certificate of the very connection that is used, before a single byte of a
request is sent on it. Expired certificates are no reason not to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ccf_operator.ccf import parsing
from ccf_operator.ccf.answers import NoAnswer, NodeAnswers
from ccf_operator.ccf.exchange import CONNECTION_FAILURES, Answer, exchange, get, open_client, refusal, why
from ccf_operator.ccf.no_answer import no_answer, timed_out
from ccf_operator.ccf.proven_connection import NotTheNode, PeerIdentity


class RemoveRefused(Exception):
    """The node did not remove the row."""


async def ask(
    host: str,
    port: int,
    *,
    expected_node_id: str | None,
    timeout: float = 2.0,  # noqa: ASYNC109 — what has been obtained when time is up is kept
    so_far: Callable[[NodeAnswers], None] = lambda _answers: None,
) -> NodeAnswers:
    """One poll of the node that serves its `Node`-endorsed interface at host:port, within `timeout` seconds.

    With `expected_node_id` None the peer is trusted at this first contact and its id reported. `so_far` is told what
    has been obtained, after each answer. Never raises for a bad node: what could not be obtained is None or empty, and
    `problem` says why.
    """
    identity = PeerIdentity(expected_node_id)
    found: dict[str, Any] = {}
    problems: list[str] = []
    impostor = False
    silence: NoAnswer | None = None
    try:
        async with asyncio.timeout(timeout), open_client(host, port, identity) as client:
            for question in _QUESTIONS:
                try:
                    found |= question.read(await get(client, question.path))
                except parsing.Unreadable as error:
                    problems.append(f"{question.path}: {error}")
                if not _denies_itself(found, identity):
                    so_far(_answers(identity, found, problems))
    except NotTheNode as error:
        impostor = True
        problems.append(str(error))
    except TimeoutError:
        problems.append(f"no complete answer within {timeout:g} s")
        silence = timed_out(identity)
    except CONNECTION_FAILURES as error:
        problems.append(why(error))
        silence = no_answer(error, identity)
    if _denies_itself(found, identity):
        problems.append(f"/node/state: says it is node {found['state'].node_id[:8]}")
        found.clear()
    said = replace(_answers(identity, found, problems), silence=silence if not found else None)
    return replace(said, reached=False, impostor=True, certificate_expires_at=None) if impostor else said


def _denies_itself(found: Mapping[str, Any], identity: PeerIdentity) -> bool:
    state = found.get("state")
    return state is not None and state.node_id != identity.proven


def _answers(identity: PeerIdentity, found: Mapping[str, Any], problems: list[str]) -> NodeAnswers:
    return NodeAnswers(
        reached=identity.proven is not None,
        problem="; ".join(problems),
        node_id=identity.proven,
        certificate_expires_at=identity.certificate_expires_at,
        **found,
    )


async def remove_row(
    host: str,
    port: int,
    expected_node_id: str,
    node_id: str,
    timeout: float = 2.0,  # noqa: ASYNC109 — the whole exchange, connection included
) -> None:
    """Delete the row of a completely retired node (`DELETE /node/network/nodes/{id}`, CCF facts §7.2).

    A row that does not exist (any more) is success. Raises RemoveRefused with the reason otherwise.
    """
    path = f"/node/network/nodes/{node_id}"
    try:
        async with asyncio.timeout(timeout), open_client(host, port, PeerIdentity(expected_node_id)) as client:
            answer = await exchange(client, "DELETE", path)
    except TimeoutError as error:
        raise RemoveRefused(f"no answer within {timeout:g} s") from error
    except (*CONNECTION_FAILURES, NotTheNode, parsing.Unreadable) as error:
        raise RemoveRefused(why(error)) from error
    if answer.status not in (200, 204, 404):
        raise RemoveRefused(refusal(answer))


class _Question(NamedTuple):
    path: str
    read: Callable[[Answer], Mapping[str, Any]]


def _reading(name: str, parse: Callable[[object], object], *nothing_yet: int) -> Callable[[Answer], Mapping[str, Any]]:
    """A reader of 200 answers; a status in `nothing_yet` is a node's way of saying that it has none."""

    def read(answer: Answer) -> Mapping[str, Any]:
        if answer.status in nothing_yet:
            return {}
        if answer.status != 200:
            raise parsing.Unreadable(refusal(answer))
        return {name: parse(answer.json())}

    return read


def _ready(name: str) -> Callable[[Answer], Mapping[str, Any]]:
    def read(answer: Answer) -> Mapping[str, Any]:
        if answer.status not in (200, 204, 503):
            raise parsing.Unreadable(refusal(answer))
        return {name: answer.status != 503}

    return read


def _previous_identity(answer: Answer) -> Mapping[str, Any]:
    found = _reading("previous_identity", parsing.parse_previous_identity, 404)(answer)
    return {**found, "previous_identity_key": parsing.parse_key(found["previous_identity"])} if found else {}


def _commit(answer: Answer) -> Mapping[str, Any]:
    # A node that has not joined yet fails this way (CCF facts §1.1).
    if answer.status == 500 and b"Uninitialised" in answer.text:
        return {}
    return _reading("commit", parsing.parse_commit)(answer)


_QUESTIONS = (
    _Question("/node/state", _reading("state", parsing.parse_state)),
    _Question("/node/network", _reading("network", parsing.parse_network, 404)),
    _Question("/node/consensus", _reading("consensus", parsing.parse_consensus, 404)),
    _Question("/node/commit", _commit),
    _Question("/node/ready/app", _ready("ready_app")),
    _Question("/node/ready/gov", _ready("ready_gov")),
    _Question("/node/network/nodes", _reading("nodes", parsing.parse_nodes, 404)),
    _Question("/node/network/removable_nodes", _reading("removable", parsing.parse_removable, 404)),
    _Question("/node/service/previous_identity", _previous_identity),
    _Question("/node/version", _reading("version", parsing.parse_version)),
)
