"""What anyone may read of a service's governance, put together from several answers (CCF facts §6).

CCF lists proposals without their actions and without saying whose ballots are in: each is asked for by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import httpx

from ccf_operator.ccf import parsing
from ccf_operator.ccf.exchange import CONNECTION_FAILURES, Answer, get, open_client, refusal, why
from ccf_operator.ccf.governance_answers import GovernanceAnswers, MemberAnswer, ProposalAnswer, ProposalRow
from ccf_operator.ccf.messages import API_VERSION, Action
from ccf_operator.ccf.proven_connection import NotTheNode, PeerIdentity

OPEN = "Open"


class Records(Protocol):
    """Where governance is read: `/gov` of a node."""

    async def get(self, path: str) -> object:
        """The JSON of an answer."""
        ...

    async def exists(self, path: str) -> bool:
        """Whether there is such a thing (200), or not (404)."""
        ...


async def read_members(records: Records) -> tuple[MemberAnswer, ...]:
    """The service's members. Raises Unreadable, and what `records` raises."""
    return parsing.parse_members(await records.get("/gov/service/members"))


async def read_service_info(records: Records) -> tuple[str, int | None]:
    """Status of the service, and how many recovery shares it needs. Raises Unreadable, and what `records` raises."""
    return parsing.parse_service_info(await records.get("/gov/service/info"))


async def read_proposals(records: Records) -> tuple[ProposalRow, ...]:
    """Every proposal that the service remembers. Raises Unreadable, and what `records` raises."""
    return parsing.parse_proposals(await records.get("/gov/members/proposals"))


async def read_proposal(records: Records, row: ProposalRow, members: Iterable[str]) -> ProposalAnswer:
    """A proposal with its actions, and with those of the members (ids) who have voted.

    Raises Unreadable, and what `records` raises."""
    actions = await read_actions(records, row.proposal_id)
    ballots: set[str] = set()
    for member in members:
        if len(ballots) == row.ballots:
            break
        if await records.exists(f"/gov/members/proposals/{row.proposal_id}/ballots/{member}"):
            ballots.add(member)
    return ProposalAnswer(row.proposal_id, row.proposer_id, row.state, frozenset(ballots), actions)


async def read_actions(records: Records, proposal_id: str) -> tuple[Action, ...]:
    """What a proposal would do. Raises Unreadable, and what `records` raises."""
    return parsing.parse_actions(await records.get(f"/gov/members/proposals/{proposal_id}/actions"))


async def ask_governance(
    host: str,
    port: int,
    *,
    expected_node_id: str,
    timeout: float = 2.0,  # noqa: ASYNC109 — what has been obtained when time is up is kept
) -> GovernanceAnswers:
    """What the node that serves its `Node`-endorsed interface at host:port says of members and open proposals.

    Nothing is sent to a peer that has not proven the expected id. Never raises for a bad node: what could not be
    obtained is missing, and `problem` says why.
    """
    said = GovernanceAnswers()
    try:
        async with asyncio.timeout(timeout), open_client(host, port, PeerIdentity(expected_node_id)) as client:
            async for so_far in _all_of(_Node(client)):
                said = so_far
    except TimeoutError:
        return replace(said, problem=f"no complete answer within {timeout:g} s")
    except (parsing.Unreadable, NotTheNode) as error:
        return replace(said, problem=str(error))
    except CONNECTION_FAILURES as error:
        return replace(said, problem=why(error))
    return said


async def _all_of(records: Records) -> AsyncIterator[GovernanceAnswers]:
    """All that is asked, ever more of it."""
    said = GovernanceAnswers(members=await read_members(records))
    yield said
    members = [member.member_id for member in said.members]
    for row in await read_proposals(records):
        if row.state == OPEN:
            found = await read_proposal(records, row, members)
            said = replace(said, proposals=(*said.proposals, found))
            yield said
    status, threshold = await read_service_info(records)
    yield replace(said, service_status=status, recovery_threshold=threshold)


@dataclass(frozen=True)
class _Node:
    client: httpx.AsyncClient

    async def get(self, path: str) -> object:
        answer = await self._ask(path)
        if answer.status != 200:
            raise parsing.Unreadable(f"{path}: {refusal(answer)}")
        return answer.json()

    async def exists(self, path: str) -> bool:
        answer = await self._ask(path)
        if answer.status not in (200, 404):
            raise parsing.Unreadable(f"{path}: {refusal(answer)}")
        return answer.status == 200

    async def _ask(self, path: str) -> Answer:
        return await get(self.client, f"{path}?api-version={API_VERSION}")
