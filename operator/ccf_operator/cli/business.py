"""From what a member wants to what it signs: the messages, explained. Nothing is signed here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from ccf_operator.ccf import governance, messages
from ccf_operator.ccf.action_words import OPENING, explain_all
from ccf_operator.ccf.governance_answers import MemberAnswer, ProposalRow
from ccf_operator.ccf.messages import Action, Request
from ccf_operator.ccf.parsing import parse_actions, parse_members, parse_proposals
from ccf_operator.ccf.same_actions import same
from ccf_operator.cli.desk import Desk
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.explain import opening_problem, proposal_problem
from ccf_operator.cli.service import insist_on_asked
from ccf_operator.cli.signing import Business, Then
from ccf_operator.wording import counted


@dataclass(frozen=True)
class Proposed:
    """A proposal as the service has it."""

    proposal_id: str
    proposer: str
    state: str
    ballots: int
    actions: tuple[Action, ...]


async def proposals(desk: Desk) -> list[Proposed]:
    """All proposals the service remembers."""
    listed = await desk.told("/gov/members/proposals", parse_proposals)
    return list(await asyncio.gather(*(_proposed(desk, one) for one in listed)))


async def proposal(desk: Desk, proposal_id: str) -> Proposed:
    """One proposal, by its id or the beginning of it. Raises Failure."""
    found = [one for one in await proposals(desk) if one.proposal_id.startswith(proposal_id)]
    if len(found) == 1:
        return found[0]
    raise Failure(
        Exit.NOT_FOUND,
        f"{'no proposal has' if not found else 'several proposals have'} an id that begins with {proposal_id}",
        f"kubectl ccf proposals {desk.network.name} lists them",
    )


async def _proposed(desk: Desk, one: ProposalRow) -> Proposed:
    actions = await desk.told(f"/gov/members/proposals/{one.proposal_id}/actions", parse_actions)
    return Proposed(one.proposal_id, one.proposer_id, one.state, one.ballots, actions)


async def insist_on_member(desk: Desk, member: str, *states: str) -> MemberAnswer:
    """The member as the service knows it. Raises Failure if it does not, or in another state than these."""
    members = await desk.told("/gov/service/members", parse_members)
    found = next((one for one in members if one.member_id == member), None)
    if found is None:
        raise Failure(
            Exit.REFUSED,
            f"the service has no member with this certificate ({member[:8]}…)",
            f"check --cert; kubectl ccf members {desk.network.name} lists the members",
        )
    if found.status not in states:
        raise Failure(
            Exit.NOT_NOW,
            f"the member is {found.status}, not {' or '.join(states)}",
            f"acknowledge the state first: kubectl ccf ack {desk.network.name}",
        )
    return found


def acknowledge(desk: Desk, member: str) -> Business:
    """Become an active member."""
    return Business(
        "You would sign",
        (
            "a request for the digest of the service's present state",
            "then an acknowledgement of that digest: you have seen the service and take part in its governance",
        ),
        messages.state_digest_update(member, desk.now()),
        Then.ACKNOWLEDGE,
    )


async def open_service(desk: Desk, member: str) -> Business | str:
    """Propose the opening, or vote for it where it has been proposed; a sentence where nothing is left to sign.

    Raises Failure."""
    status = (await desk.get("/node/network"))["service_status"]
    if status == "Open":
        return "the service is open already"
    if status == "WaitingForRecoveryShares":
        return f"the recovered service is accepted already; next: kubectl ccf submit-share {desk.network.name}"
    await insist_on_member(desk, member, "Active")
    return await propose_or_vote(desk, [await _opening(desk)], member)


async def propose_or_vote(desk: Desk, actions: Sequence[Action], member: str) -> Business | str:
    """A vote for a proposal of just these actions, where one is open, else the proposal; a sentence where the member
    has voted. Signing the same proposal again would make another one."""
    for one in await proposals(desk):
        if one.state == "Open" and same(one.actions, actions):
            if await desk.find(f"/gov/members/proposals/{one.proposal_id}/ballots/{member}") is not None:
                return f"you have voted for it: proposal {one.proposal_id[:8]}… waits for other members"
            return _vote_for(desk, one, member)
    return propose_actions(desk, actions)


def renewal(desk: Desk, days: int | None) -> list[Action]:
    """New certificates, from the beginning of yesterday (UTC; clocks differ), for the service and all nodes."""
    since = governance.since_yesterday(desk.now())
    return [
        governance.set_service_certificate_validity(since, days),
        governance.set_all_nodes_certificate_validity(since, days),
    ]


async def replacements(desk: Desk) -> list[Action]:
    """Trust the operator's nodes that wait for it, and remove those that have provably ended."""
    rows = {row["node_id"]: row["status"] for row in (await desk.get("/node/network/nodes"))["nodes"]}
    status = desk.network.status
    records = {r.node_id: r for r in status.nodes if r.node_id is not None}
    since = governance.since_yesterday(desk.now())
    trust = [
        governance.transition_node_to_trusted(node, since)
        for node, state in sorted(rows.items())
        if state == "Pending" and node in records and records[node].ended is None and records[node].stop is None
    ]
    counted = set(status.configuration.nodes) if status.configuration is not None else set()
    remove = [
        governance.remove_node(node)
        for node, state in sorted(rows.items())
        if state == "Trusted" and node in counted and node in records and records[node].ended is not None
    ]
    return [*remove, *trust]


async def _opening(desk: Desk) -> Action:
    """The opening of exactly the service that was checked. Both identities are read from the node itself: a renewed
    certificate has another text, and CCF compares texts (CCF facts §8.8)."""
    following = (await desk.get("/node/network"))["service_certificate"]
    previous = None
    if desk.expected.recovered_from is not None:
        previous = (await desk.get("/node/service/previous_identity"))["previous_service_identity"]
    action = governance.transition_service_to_open(following, previous)
    if problem := opening_problem([action], desk.expected):
        raise Failure(Exit.UNSAFE, problem, "sign nothing, and tell whoever runs the cluster")
    return action


def propose_actions(desk: Desk, actions: Sequence[Action]) -> Business:
    """A proposal, and one's own vote for it. Raises Failure if it would open a fork, or let a stranger in."""
    _insist_on_offer(desk, actions)
    if problem := proposal_problem(actions, desk.expected, names(desk)):
        network = desk.network.name
        right = f"kubectl ccf open {network} and kubectl ccf trust {network} propose what the operator offers"
        raise Failure(Exit.UNSAFE, problem, right)
    first, *others = explain_all(actions, names(desk)) or ["do nothing"]
    return Business(
        "You would sign",
        (
            f"a proposal to {first}",
            *(f"in the same proposal, to {line}" for line in others),
            "then, unless it is decided by then, your own vote for it",
        ),
        messages.proposal(actions, desk.now()),
        Then.VOTE_YES,
    )


def _vote_for(desk: Desk, one: Proposed, member: str) -> Business:
    return vote(desk, one, member, messages.YES, "a vote for")


def vote(desk: Desk, one: Proposed, member: str, source: str, words: str) -> Business:
    """A ballot, of which `words` say what it is. Raises Failure if it is a yes to a fork or a stranger or comes too
    soon, or the proposal is decided."""
    if one.state != "Open":
        raise Failure(
            Exit.NOT_NOW,
            f"proposal {one.proposal_id[:8]}… is {one.state}: no more ballots are taken",
            f"kubectl ccf proposals {desk.network.name} lists open ones",
        )
    if source != messages.NO:
        _insist_on_offer(desk, one.actions)
    problem = proposal_problem(one.actions, desk.expected, names(desk))
    if problem and source != messages.NO:
        raise Failure(Exit.UNSAFE, f"proposal {one.proposal_id[:8]}…: {problem}", "do not vote for it; tell the others")
    proposer = names(desk).get(one.proposer, f"member {one.proposer[:8]}…")
    which = f"proposal {one.proposal_id[:8]}… of {proposer}, {counted(one.ballots, 'ballot')} in"
    lines = (f"{words} {which}, which would:", *explain_all(one.actions, names(desk)))
    return Business("You would sign", lines, messages.ballot(member, one.proposal_id, source, desk.now()))


def insist_on_the_same(desk: Desk, request: Request) -> None:
    """Of a proposal that was prepared earlier: the service that is offered may be another by now. Raises Failure."""
    if request.type != "proposal":
        return
    actions = json.loads(request.payload)["actions"]
    _insist_on_offer(desk, actions)
    if problem := proposal_problem(actions, desk.expected, names(desk)):
        raise Failure(Exit.UNSAFE, problem, "prepare the message anew")


def _insist_on_offer(desk: Desk, actions: Sequence[Action]) -> None:
    if any(action["name"] == OPENING for action in actions):
        insist_on_asked(desk.network)


def withdraw(desk: Desk, one: Proposed, member: str) -> Business:
    """Withdraw one's own proposal. Raises Failure."""
    if one.proposer != member:
        raise Failure(
            Exit.REFUSED,
            f"proposal {one.proposal_id[:8]}… was made by member {one.proposer[:8]}…, not by you",
            f"vote against it: kubectl ccf vote {desk.network.name} {one.proposal_id[:8]} no",
        )
    lines = ("the withdrawal of your proposal, which would:", *explain_all(one.actions, names(desk)))
    return Business("You would sign", lines, messages.withdrawal(one.proposal_id, desk.now()))


async def encrypted_share(desk: Desk, member: str) -> str:
    """The member's recovery share, encrypted for it (base64). Raises Failure."""
    found = await desk.find(f"/gov/recovery/encrypted-shares/{member}")
    if found is None:
        raise Failure(
            Exit.REFUSED,
            f"the service has no recovery share for member {member[:8]}…",
            "recovery members alone have one: those with an encryption key",
        )
    return str(found["encryptedShare"])


async def insist_on_waiting_for_shares(desk: Desk) -> str | None:
    """None while shares are taken; a sentence where none is needed any more. Raises Failure where it is too early."""
    insist_on_asked(desk.network)
    status = (await desk.get("/node/network"))["service_status"]
    if status == "Open":
        return "the service is open already: no share is needed"
    if status != "WaitingForRecoveryShares":
        raise Failure(
            Exit.NOT_NOW,
            f"the service does not take shares while it is {status}",
            f"first the members accept it: kubectl ccf open {desk.network.name}",
        )
    return None


def submit_share(desk: Desk, member: str, share: bytes) -> Business:
    """Hand in a decrypted share."""
    return Business(
        "You would sign and send",
        (
            "your recovery share, in the clear within the connection to the node: with enough of them the service can "
            "decrypt its whole ledger",
        ),
        messages.recovery_share(member, share, desk.now()),
    )


def names(desk: Desk) -> dict[str, str]:
    """Names of nodes by their ids."""
    return {r.node_id: r.name for r in desk.network.status.nodes if r.node_id is not None}
