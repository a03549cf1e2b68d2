from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.governance_status import GovernanceStatus, SharesStatus
from ccf_operator.api.status import AttemptPhase, NetworkStatus, Phase, ServiceStatus, Timeline
from ccf_operator.ccf import governance
from ccf_operator.ccf.governance_answers import GovernanceAnswers, MemberAnswer, ProposalAnswer
from ccf_operator.ccf.identity import key_fingerprint
from ccf_operator.ccf.messages import member_id
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.members import SHOWN, keep_governance, whom_to_ask
from ccf_operator.domain.observation import MemberInput, Observation, OperatorMemberView, ShareReport
from ccf_operator.domain.service import view_service
from members import generate_operator_member
from unit.domain.given import (
    NEW,
    OLD,
    answers,
    at,
    attempt,
    config,
    crowned,
    inputs,
    observation,
    quorum,
    record,
    recovered,
    spec,
    status,
)

PEMS = {name: generate_operator_member(name).certificate_pem for name in ("alice", "bob", "carol")}
IDS = {name: member_id(pem) for name, pem in PEMS.items()}
SERVICE, OTHER, BEFORE = (generate_operator_member(name).certificate_pem for name in ("new", "other", "old"))
KEY, BASE = key_fingerprint(SERVICE), key_fingerprint(BEFORE)
KNOWN = replace(inputs(), members=tuple(MemberInput(name, pem, None, None, None) for name, pem in PEMS.items()))


def unopened() -> NetworkStatus:
    nodes = (record("a", joined_at=at(0)), record("b", joined_at=at(0)))
    service = ServiceStatus(public_key=KEY, certificate=SERVICE)
    return status(*nodes, service=service, phase=Phase.AWAITING_OPEN)


def recovering(phase: AttemptPhase = AttemptPhase.AWAITING_MEMBERS, **fields: Any) -> NetworkStatus:
    """Node a was chosen, and b has joined it."""
    nodes = (record("a", attempt=1, joined_at=at(0)), record("b", attempt=1, joined_at=at(0)))
    chosen = crowned("a", public_key=KEY)
    known = attempt(recovered("a", "2.20", node="a"), phase=phase, winner=chosen, base_service=BASE, **fields)
    return status(*nodes, phase=Phase.AWAITING_MEMBERS, attempt=known)


def waits(**fields: Any) -> dict[str, Any]:
    """What nodes of a recovered service say that the members must accept."""
    return {"key": KEY, "status": "Recovering", "state": "PartOfPublicNetwork", **fields}


def accepted() -> dict[str, Any]:
    return waits(status="WaitingForRecoveryShares")


def look(of: NetworkStatus, **seen: Any) -> Observation:
    said = {"key": KEY, "status": "Opening"} if of.attempt is None else waits()
    return observation(of, **{"answers": quorum("a", "b", **said), "inputs": KNOWN, **seen})


def kept(of: NetworkStatus, **seen: Any) -> GovernanceStatus | None:
    """What is kept, where governance was read of the service as the nodes' answers in this look show it."""
    draft = Draft.of(_of_this_look(look(of, **seen)))
    view = view_service(draft, draft.status.service.public_key, draft.status.nodes)
    winner = draft.status.attempt.winner if draft.status.attempt is not None else None
    again = view_service(draft, winner.public_key, draft.status.nodes) if winner is not None else None
    keep_governance(draft, view, again)
    return draft.status.governance


def _of_this_look(seen: Observation) -> Observation:
    said, network = seen.governance, seen.answers["a"].network
    if said is None or said.service_status is not None or network is None:
        return seen
    return replace(seen, governance=replace(said, service_status=network.service_status))


def member(name: str, status: str = "Active", role: str = "Participant", *, recovers: bool = True) -> MemberAnswer:
    return MemberAnswer(IDS[name], status, PEMS[name], recovers, role)


def proposal(*actions: governance.Action, voted: tuple[str, ...] = (), number: int = 1) -> ProposalAnswer:
    ballots = frozenset(IDS[name] for name in voted)
    return ProposalAnswer(f"{number:064x}", IDS["alice"], "Open", ballots, actions)


ALL = GovernanceAnswers((member("alice"), member("bob"), member("carol", "Accepted")), 2)
OPENING = governance.transition_service_to_open(SERVICE)
ACCEPTING = governance.transition_service_to_open(SERVICE, BEFORE)


# Whom to ask


def asked(seen: Observation) -> str | None:
    node = whom_to_ask(seen)
    return node.name if node is not None else None


def test_the_agreed_primary_is_asked_while_members_are_awaited() -> None:
    assert asked(look(unopened())) == "a"
    assert asked(look(recovering())) == "a"
    assert asked(look(recovering(), answers=quorum("b", "a", **accepted()))) == "b"


def test_nobody_is_asked_where_nobody_leads_or_members_have_no_frontend_yet() -> None:
    alone = {"a": answers("a", configs=[config("a", "b")], primary="a", **waits())}
    assert asked(look(recovering(), answers=alone)) is None
    closed = {name: replace(said, ready_gov=False) for name, said in quorum("a", "b", **waits()).items()}
    assert asked(look(recovering(), answers=closed)) is None


@pytest.mark.parametrize(
    "of",
    [
        status(record("a"), record("b"), phase=Phase.RUNNING, service=ServiceStatus(public_key=KEY, opened_at=at(0))),
        recovering(AttemptPhase.JOINING),
        recovering(reason="LossDoubted"),
        recovering(reason="TwoServices"),
        status(record("a"), attempt=attempt()),
    ],
)
def test_nobody_is_asked_where_nothing_is_awaited_of_members(of: NetworkStatus) -> None:
    assert asked(look(of)) is None


def test_of_an_open_service_the_primary_is_asked_where_the_operator_is_a_member() -> None:
    open_service = status(record("a"), record("b"), phase=Phase.RUNNING, service=ServiceStatus(public_key=KEY))
    with_member = spec(governance={"operatorMember": {"secretRef": {"name": "operator"}}})
    seen = look(open_service, spec=with_member, answers=quorum("a", "b", key=KEY))
    assert asked(seen) == "a"


@pytest.mark.parametrize("reason", ["LossDoubted", "TwoServices"])
def test_while_members_had_better_wait_an_operator_that_is_one_looks_what_it_has_proposed(reason: str) -> None:
    with_member = spec(governance={"operatorMember": {"secretRef": {"name": "operator"}}})
    seen = look(recovering(reason=reason), spec=with_member, governance=ALL)
    assert asked(seen) == "a"
    assert kept(recovering(reason=reason), spec=with_member, governance=ALL) is None, "people are shown nothing of it"
    assert asked(look(recovering(AttemptPhase.JOINING), spec=with_member)) is None
    assert asked(look(recovering(reason=reason), spec=with_member, answers=quorum("b", "a", **accepted()))) is None


# What is kept


def test_members_and_the_opening_are_told_by_name() -> None:
    said = replace(ALL, proposals=(proposal(OPENING, voted=("alice",)),))
    found = kept(unopened(), governance=said)
    assert found is not None
    assert (found.service, found.recovery_threshold) == (KEY, 2)
    assert (found.members.active, found.members.total, found.members.not_active) == (2, 3, ["carol"])
    assert found.members.recovery == ["alice", "bob"]
    [one] = found.proposals
    assert (one.state, one.proposer, one.opens, one.ballots, one.missing) == ("Open", "alice", True, ["alice"], ["bob"])
    assert "open the service with key" in one.actions[0]


def test_a_member_the_spec_does_not_have_is_told_by_its_id() -> None:
    stranger = MemberAnswer("d" * 64, "Accepted", "PEM", recovers=False)
    found = kept(unopened(), governance=replace(ALL, members=(stranger,)))
    assert found is not None
    assert found.members.not_active == ["dddddddd…"]


def test_the_operators_own_member_is_waited_for_by_nobody() -> None:
    opening = governance.transition_service_to_open(SERVICE, BEFORE)
    of_the_operator = replace(proposal(opening), proposer_id=IDS["carol"])
    said = GovernanceAnswers((member("alice"), member("carol", "Accepted", recovers=False)), 1, (of_the_operator,))
    found = kept(recovering(), governance=said, operator_member=OperatorMemberView("s", member_id=IDS["carol"]))
    assert found is not None
    assert (found.members.active, found.members.total, found.members.not_active) == (1, 1, [])
    assert (found.proposals[0].proposer, found.proposals[0].missing) == ("the operator", ["alice"])


def test_who_has_no_share_is_not_asked_for_one() -> None:
    people = (member("alice", role="Owner"), member("bob", recovers=False), member("carol", role="NonParticipant"))
    found = kept(unopened(), governance=replace(ALL, members=people))
    assert found is not None
    assert found.members.recovery == ["alice"]


@pytest.mark.parametrize(
    ("of", "action", "opens"),
    [
        (unopened(), OPENING, True),
        (unopened(), governance.transition_service_to_open(OTHER), False),
        (unopened(), governance.remove_node("ab" * 32), False),
        (unopened(), {"name": "transition_service_to_open", "args": None}, False),
        (unopened(), {"name": "transition_service_to_open"}, False),
        (recovering(), ACCEPTING, True),
        (recovering(), OPENING, False),
        (recovering(), governance.transition_service_to_open(SERVICE, OTHER), False),
    ],
)
def test_which_proposals_open_the_service(of: NetworkStatus, action: governance.Action, opens: bool) -> None:
    found = kept(of, governance=replace(ALL, proposals=(proposal(action),)))
    assert found is not None
    assert [one.opens for one in found.proposals] == [opens]


def test_what_opens_comes_first_and_the_rest_is_counted() -> None:
    others = [proposal(governance.trigger_snapshot(), number=number) for number in range(1, 20)]
    said = replace(
        ALL, proposals=(*others, proposal(OPENING, number=99), proposal(OPENING, voted=("bob",), number=100))
    )
    found = kept(unopened(), governance=said)
    assert found is not None
    assert (found.open_proposals, len(found.proposals)) == (21, SHOWN)
    assert [int(one.id, 16) for one in found.proposals[:3]] == [100, 99, 1]


def test_what_members_write_does_not_fill_the_status() -> None:
    many = proposal(*({"name": "x" * 5000, "args": {}} for _ in range(500)))
    found = kept(unopened(), governance=replace(ALL, proposals=(many,)))
    assert found is not None
    assert len(found.model_dump_json()) < 10_000
    assert found.proposals[0].actions[-1] == "and 490 more"


@pytest.mark.parametrize("written", ["\x1b[2Kharmless", "\ud800", "a\nb", "\u202ereversed"])
def test_what_a_member_writes_steers_no_terminal_and_fits_into_the_status(written: str) -> None:
    many = proposal({"name": written, "args": {}}, governance.remove_node(written))
    found = kept(unopened(), governance=replace(ALL, proposals=(many,)))
    assert found is not None
    assert all(said.isprintable() and "\ufffd" in said for said in found.proposals[0].actions)
    assert GovernanceStatus.model_validate_json(found.model_dump_json()) == found


def test_what_was_known_stays_while_nobody_can_be_asked() -> None:
    before = kept(unopened(), governance=ALL)
    assert before is not None
    of = unopened().model_copy(update={"governance": before})
    assert kept(of) == before
    assert kept(of, governance=GovernanceAnswers(problem="no complete answer")) == before
    assert kept(recovering().model_copy(update={"governance": before.model_copy(update={"service": OLD})})) is None


def test_a_proposal_that_is_accepted_between_two_questions_is_not_said_to_be_missing() -> None:
    before = kept(recovering(), governance=replace(ALL, proposals=(proposal(ACCEPTING, voted=("alice",)),)))
    of = recovering().model_copy(update={"governance": before})
    assert kept(of, governance=replace(ALL, service_status="WaitingForRecoveryShares")) == before


@pytest.mark.parametrize(
    "of",
    [
        status(record("a"), record("b"), phase=Phase.RUNNING),
        recovering(AttemptPhase.JOINING),
    ],
)
def test_nothing_is_kept_once_nothing_is_awaited(of: NetworkStatus) -> None:
    before = kept(unopened(), governance=ALL)
    assert kept(of.model_copy(update={"governance": before}), governance=ALL) is None


def test_nothing_is_kept_once_the_members_have_done_their_part() -> None:
    before = kept(recovering(), governance=ALL)
    of = recovering(timeline=Timeline(accepted_at=at(0))).model_copy(update={"governance": before})
    decrypting = quorum("a", "b", **accepted() | {"state": "ReadingPrivateLedger"})
    assert kept(of, answers=decrypting, governance=ALL) is None


# Shares


def test_shares_are_counted_once_the_service_is_accepted() -> None:
    of = recovering(timeline=Timeline(accepted_at=at(0)))
    reports = (
        ShareReport(KEY, IDS["bob"], 1, 2, at(5)),
        ShareReport(NEW, IDS["alice"], 2, 2, at(6)),  # of another attempt
    )
    found = kept(of, answers=quorum("a", "b", **accepted()), governance=ALL, share_reports=reports)
    assert found is not None
    assert found.shares == SharesStatus(submitted=1, threshold=2, reported_by=["bob"], at=at(5))
    before = kept(recovering(), governance=ALL, share_reports=reports)
    assert before is not None
    assert before.shares is None
