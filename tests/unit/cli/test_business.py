from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from ccf_operator.api.governance_status import GovernanceStatus, MembersStatus, ProposalStatus, SharesStatus
from ccf_operator.api.status import AttemptPhase
from ccf_operator.ccf import governance, messages
from ccf_operator.ccf.governance import Answer, GovernanceClient
from ccf_operator.ccf.identity import key_fingerprint
from ccf_operator.cli import business
from ccf_operator.cli.business import Proposed
from ccf_operator.cli.desk import Desk
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.governance_view import Ballots, Governance, members_section, proposal_section, written_section
from ccf_operator.cli.roster import Person
from ccf_operator.cli.service import Check, Expected, Finding
from ccf_operator.cli.signing import Done, Then, document, follow_up, outcome
from ccf_operator.cli.terminal import plain
from ccf_operator.domain.reasons import Reason
from members import generate_operator_member
from unit.cli import phases
from unit.cli.phases import scene

OURS, FORK, BEFORE = (generate_operator_member(name).certificate_pem for name in ("ours", "fork", "before"))
RIGHT = governance.transition_service_to_open(OURS, BEFORE)
WRONG = governance.transition_service_to_open(FORK, BEFORE)
PEOPLE = [
    Person("alice", "a" * 64, "Active", "Participant"),
    Person("bob", "b" * 64, "Active", "Participant"),
    Person("carol", "c" * 64, "Accepted", "Participant"),
]


def desk(*checks: Check) -> Desk:
    """A desk at which nothing is asked."""
    expected = Expected(OURS, key_fingerprint(OURS), key_fingerprint(BEFORE))
    seen = scene(phases.awaiting_members())
    return Desk(seen.network, expected, "bank-0", {}, checks, cast(GovernanceClient, None))


def proposed(*actions: messages.Action, state: str = "Open") -> Proposed:
    return Proposed("1234" * 16, "a" * 64, state, 1, actions)


def code(failure: pytest.ExceptionInfo[Failure]) -> Exit:
    return failure.value.code


def test_a_fork_is_neither_proposed_nor_voted_for_but_can_be_voted_against() -> None:
    with pytest.raises(Failure) as refused:
        business.propose_actions(desk(), [governance.trigger_snapshot(), WRONG])
    assert code(refused) is Exit.UNSAFE
    for source in (messages.YES, "export function vote () { return 1 < 2 }"):
        with pytest.raises(Failure) as refused:
            business.vote(desk(), proposed(WRONG), "b" * 64, source, "a vote for")
        assert code(refused) is Exit.UNSAFE
    assert business.vote(desk(), proposed(WRONG), "b" * 64, messages.NO, "a vote against").request.type == "ballot"
    assert business.vote(desk(), proposed(RIGHT), "b" * 64, messages.YES, "a vote for").request.type == "ballot"


@pytest.mark.parametrize(
    ("phase", "reason"),
    [
        (AttemptPhase.JOINING, ""),
        (AttemptPhase.AWAITING_MEMBERS, Reason.LOSS_DOUBTED),
        (AttemptPhase.AWAITING_MEMBERS, Reason.TWO_SERVICES),
    ],
)
async def test_nobody_goes_on_with_a_service_that_the_operator_does_not_offer_now(
    phase: AttemptPhase, reason: str
) -> None:
    at = desk()
    assert at.network.status.attempt is not None
    at.network.status.attempt.phase, at.network.status.attempt.reason = phase, reason
    signing: list[Callable[[], object]] = [
        lambda: business.propose_actions(at, [RIGHT]),
        lambda: business.vote(at, proposed(RIGHT), "b" * 64, messages.YES, "a vote for"),
        lambda: business.insist_on_the_same(at, messages.proposal([RIGHT], 7)),
    ]
    for sign in signing:
        with pytest.raises(Failure, match="not asked") as refused:
            sign()
        assert code(refused) is Exit.NOT_NOW
    with pytest.raises(Failure, match="not asked"):
        await business.insist_on_waiting_for_shares(at)
    assert business.vote(at, proposed(RIGHT), "b" * 64, messages.NO, "a vote against")
    assert business.propose_actions(at, [governance.trigger_snapshot()])


def test_a_proposal_prepared_for_the_service_of_an_earlier_attempt_is_not_sent() -> None:
    prepared = messages.proposal([RIGHT], 7)
    business.insist_on_the_same(desk(), prepared)
    later = replace(desk(), expected=Expected(FORK, key_fingerprint(FORK), key_fingerprint(BEFORE)))
    with pytest.raises(Failure, match="another service") as refused:
        business.insist_on_the_same(later, prepared)
    assert code(refused) is Exit.UNSAFE
    business.insist_on_the_same(later, messages.ballot("b" * 64, "1234" * 16, messages.YES, 7))


def test_a_stranger_is_not_let_in() -> None:
    stranger = governance.transition_node_to_trusted("d" * 64, "230101000000Z")
    with pytest.raises(Failure, match="does not know") as refused:
        business.propose_actions(desk(), [stranger])
    assert code(refused) is Exit.UNSAFE
    with pytest.raises(Failure, match="does not know") as refused:
        business.vote(desk(), proposed(stranger), "b" * 64, messages.YES, "a vote for")
    assert code(refused) is Exit.UNSAFE
    assert business.vote(desk(), proposed(stranger), "b" * 64, messages.NO, "a vote against")


def test_nothing_is_signed_where_a_check_failed() -> None:
    desk(Check(Finding.GOOD, "fine"), Check(Finding.DOUBT, "beside")).insist()
    with pytest.raises(Failure, match="another key") as refused:
        desk(Check(Finding.GOOD, "fine"), Check(Finding.BAD, "another key")).insist()
    assert code(refused) is Exit.UNSAFE


def test_decided_proposals_take_no_votes_and_only_ones_own_are_withdrawn() -> None:
    with pytest.raises(Failure) as refused:
        business.vote(desk(), proposed(RIGHT, state="Accepted"), "b" * 64, messages.YES, "")
    assert code(refused) is Exit.NOT_NOW
    with pytest.raises(Failure) as refused:
        business.withdraw(desk(), proposed(RIGHT), "b" * 64)
    assert code(refused) is Exit.REFUSED
    made = business.withdraw(desk(), proposed(RIGHT), "a" * 64)
    assert made.request.proposal_id == "1234" * 16


def test_what_a_member_reads_before_signing_tells_one_proposal_from_what_it_would_do() -> None:
    actions = [governance.trigger_snapshot(), governance.remove_node("ab" * 32)]
    first, second, vote = business.propose_actions(desk(), actions).lines
    assert first == "a proposal to make a snapshot"
    assert second.startswith("in the same proposal, to remove node abababab…")
    assert "your own vote" in vote
    what, *would = business.vote(desk(), proposed(*actions), "b" * 64, messages.NO, "a vote against").lines
    assert what == "a vote against proposal 12341234… of member aaaaaaaa…, 1 ballot in, which would:"
    assert would[0] == "make a snapshot"
    assert len(would) == len(actions)


def test_what_follows_rests_on_the_answer() -> None:
    reply = {"proposalId": "ab", "proposalState": "Open", "ballotCount": 0}
    ballot = follow_up(Then.VOTE_YES, "m" * 64, reply, 7)
    assert ballot is not None
    assert (ballot.type, ballot.proposal_id, ballot.created_at) == ("ballot", "ab", 7)
    assert follow_up(Then.VOTE_YES, "m" * 64, {**reply, "proposalState": "Accepted"}, 7) is None
    assert follow_up(Then.NOTHING, "m" * 64, reply, 7) is None
    digest = follow_up(Then.ACKNOWLEDGE, "m" * 64, {"stateDigest": "d1"}, 7)
    assert digest is not None
    assert b"d1" in digest.payload
    assert follow_up(Then.ACKNOWLEDGE, "m" * 64, None, 7) is None


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"proposalState": "Accepted", "ballotCount": 2}, "accepted and applied"),
        ({"proposalState": "Open", "ballotCount": 1}, "1 ballot in: it waits"),
        ({"proposalState": "Dropped", "ballotCount": 3}, "Dropped, 3 ballots"),
    ],
)
def test_what_became_of_a_ballot(reply: dict[str, object], said: str) -> None:
    told = outcome(messages.ballot("m" * 64, "ab" * 32, messages.YES, 7), {**reply, "proposalId": "ab" * 32})
    assert said in told
    assert len(told) < 78, "a line of a terminal"


def test_what_was_done_for_programs() -> None:
    done = Done(messages.ballot("m" * 64, "ab", messages.YES, 7), Answer(200, {"ballotCount": 1}, "2.7"))
    assert document("bank", "m" * 64, [done]) == {
        "network": "bank",
        "member": "m" * 64,
        "signed": [{"type": "ballot", "transactionId": "2.7", "answer": {"ballotCount": 1}}],
    }
    assert document("bank", "m" * 64, [], "you are active already")["message"] == "you are active already"


def text(what: object) -> str:
    out = plain(80)
    with out.capture() as captured:
        out.print(what)
    return captured.get()


def test_who_has_acted_and_who_has_not() -> None:
    ballots = Ballots(proposed(governance.remove_node("ab" * 32)), ("a" * 64,))
    shown = text(members_section(Governance(tuple(PEOPLE), 2, (ballots,))))
    assert "2 of 3 are active; 2 recovery shares are needed" in shown
    assert "not active yet: carol" in shown
    assert "voted: alice  not yet: bob" in shown
    assert "carol" not in shown.partition("voted")[2]


SHARES = SharesStatus(submitted=1, threshold=2, reported_by=["bob"])
WRITTEN = GovernanceStatus(
    service="1" * 64,
    recovery_threshold=2,
    members=MembersStatus(active=2, total=3, not_active=["carol"], recovery=["alice", "bob"]),
    open_proposals=12,
    proposals=[
        ProposalStatus(
            id="ab" * 32, state="Open", actions=["do it"], proposer="bob", ballots=["alice"], missing=["bob"]
        )
    ],
    shares=SHARES,
)


def test_shares_are_shown_as_reported() -> None:
    shown = " ".join(text(members_section(Governance(tuple(PEOPLE), 2, (), SHARES))).split())
    assert "1 of 2 are in, as members' plugins reported: bob" in shown
    none = SharesStatus(threshold=2)
    assert "0 of 2 are in" in text(members_section(Governance(tuple(PEOPLE), 2, (), none)))
    assert "shares:" not in text(members_section(Governance(tuple(PEOPLE), 2)))


def test_where_no_node_is_asked_the_operators_word_is_shown() -> None:
    shown = " ".join(text(written_section(WRITTEN)).split())
    for said in (
        "2 of 3 are active; 2 recovery shares are needed",
        "not active yet: carol",
        "proposal abababab… do it",
        "voted: alice not yet: bob",
        "11 more proposals are open",
        "1 of 2 are in",
    ):
        assert said in shown


def test_what_is_not_known_is_said_to_be_so() -> None:
    assert "not known: no node answered" in text(members_section(Governance(problem="no node answered")))


def test_a_proposal_that_would_open_a_fork_is_marked() -> None:
    ballots = Ballots(proposed(WRONG), ())
    assert "a fork" in text(proposal_section(ballots, PEOPLE, {}, desk().expected))
    assert "a fork" not in text(proposal_section(Ballots(proposed(RIGHT), ()), PEOPLE, {}, desk().expected))
