"""Who the members are, what has been proposed, and whose votes are in and missing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ccf_operator.api.governance_status import GovernanceStatus, SharesStatus
from ccf_operator.ccf.action_words import explain_all
from ccf_operator.ccf.parsing import parse_service_info
from ccf_operator.cli import business, roster
from ccf_operator.cli.business import Proposed
from ccf_operator.cli.desk import Desk
from ccf_operator.cli.exits import Failure
from ccf_operator.cli.explain import proposal_problem
from ccf_operator.cli.kubectl import Kubectl
from ccf_operator.cli.output import marked, titled
from ccf_operator.cli.roster import Person
from ccf_operator.cli.service import Expected
from ccf_operator.cli.words import shorten
from ccf_operator.wording import counted


@dataclass(frozen=True)
class Ballots:
    """A proposal, and the ids of those who have voted on it."""

    proposal: Proposed
    voted: tuple[str, ...]

    def document(self, people: Sequence[Person]) -> dict[str, Any]:
        """The same for programs."""
        return {
            "proposalId": self.proposal.proposal_id,
            "proposerId": self.proposal.proposer,
            "state": self.proposal.state,
            "actions": list(self.proposal.actions),
            "voted": list(self.voted),
            "missing": [person.member_id for person in self.missing(people)],
        }

    def missing(self, people: Sequence[Person]) -> list[Person]:
        """Active members whose votes are not in."""
        return [one for one in people if one.status == "Active" and one.member_id not in self.voted]


@dataclass(frozen=True)
class Governance:
    """What members see of one another. `shares`: as their plugins have reported to the operator; CCF has no answer to
    that. `problem`: why nothing is known, empty if all is."""

    people: tuple[Person, ...] = ()
    threshold: int | None = None
    ballots: tuple[Ballots, ...] = ()
    shares: SharesStatus | None = None
    problem: str = ""


async def look(kubectl: Kubectl, desk: Desk, *states: str) -> Governance:
    """The members and the proposals that are in one of these states (none: all). Raises Failure."""
    people, (_, threshold), proposals = await asyncio.gather(
        roster.members(kubectl, desk), desk.told("/gov/service/info", parse_service_info), business.proposals(desk)
    )
    wanted = [one for one in proposals if not states or one.state in states]
    voted = await asyncio.gather(*(roster.voters(desk, one.proposal_id, people) for one in wanted))
    ballots = tuple(Ballots(one, tuple(ids)) for one, ids in zip(wanted, voted, strict=True))
    written = desk.network.status.governance
    shares = written.shares if written is not None and written.service == desk.expected.key else None
    return Governance(tuple(people), threshold, ballots, shares)


async def glance(kubectl: Kubectl, desk: Desk) -> Governance:
    """The same of open proposals; never raises."""
    try:
        return await look(kubectl, desk, "Open")
    except Failure as failure:
        return Governance(problem=failure.why)


def proposal_section(
    ballots: Ballots, people: Sequence[Person], nodes: dict[str, str], expected: Expected
) -> RenderableType:
    """One proposal: what it would do, who made it, whose votes are in and missing."""
    one = ballots.proposal
    known = {person.member_id: person.name for person in people} | nodes
    lines: list[RenderableType] = [marked("-", line) for line in explain_all(one.actions, known)]
    if problem := proposal_problem(one.actions, expected, nodes):
        lines.append(marked("✗", Text(problem, style="bad"), "bad"))
    state = [
        f"by {known.get(one.proposer, one.proposer[:8])}",
        f"voted: {roster.named(ballots.voted, people) or 'nobody'}",
    ]
    if one.state == "Open":
        state.append(f"not yet: {', '.join(person.name for person in ballots.missing(people)) or 'nobody'}")
    return titled(f"{one.proposal_id}  {one.state}", *lines, Text(" · ".join(state), style="dim"))


def count_active(active: int, total: int, threshold: int | None) -> str:
    """How many members take part, and how many recovery shares they must submit after a recovery, if that is known."""
    verb = "is" if threshold == 1 else "are"
    needed = f"; {counted(threshold, 'recovery share')} {verb} needed" if threshold else ""
    return f"{active} of {total} are active{needed}"


def members_section(governance: Governance) -> RenderableType:
    """Who has acted and who has not, in a few lines."""
    if governance.problem:
        return titled("Members", Text(f"not known: {shorten(governance.problem)}", style="dim"))
    people = governance.people
    active = [one for one in people if one.status == "Active"]
    lines: list[RenderableType] = [Text(count_active(len(active), len(people), governance.threshold))]
    if others := [one.name for one in people if one.status != "Active"]:
        lines.append(Text.assemble(("not active yet: ", "warn"), ", ".join(others)))
    for ballots in governance.ballots:
        one = ballots.proposal
        voted = roster.named(ballots.voted, people)
        missing = ", ".join(person.name for person in ballots.missing(people))
        lines += _proposal_lines(one.proposal_id, explain_all(one.actions, {}), voted, missing)
    lines += _shares_lines(governance.shares)
    return titled("Members", *lines)


def written_section(written: GovernanceStatus) -> RenderableType:
    """The same, as the operator has written it into the status."""
    members = written.members
    lines: list[RenderableType] = [Text(count_active(members.active, members.total, written.recovery_threshold))]
    if members.not_active:
        lines.append(Text.assemble(("not active yet: ", "warn"), ", ".join(members.not_active)))
    for one in written.proposals:
        lines += _proposal_lines(one.id, one.actions, ", ".join(one.ballots), ", ".join(one.missing))
    if more := written.open_proposals - len(written.proposals):
        lines.append(Text(f"{more} more proposals are open", style="dim"))
    return titled("Members", *lines, *_shares_lines(written.shares))


def _proposal_lines(identity: str, actions: Sequence[str], voted: str, missing: str) -> list[RenderableType]:
    return [
        marked(f"proposal {identity[:8]}…", "; ".join(actions), "ask"),
        Text.assemble(("  voted: ", "dim"), voted or "nobody", ("  not yet: ", "dim"), missing or "nobody"),
    ]


def _shares_lines(shares: SharesStatus | None) -> list[RenderableType]:
    if shares is None or shares.threshold is None:
        return []
    who = f": {', '.join(shares.reported_by)}" if shares.reported_by else ""
    count = Text.assemble(("recovery shares: ", "ask"), f"{shares.submitted} of {shares.threshold} are in")
    return [Text.assemble(count, (f", as members' plugins reported{who}", "dim"))]
