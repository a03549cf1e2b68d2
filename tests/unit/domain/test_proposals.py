from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.status import (
    AttemptPhase,
    Command,
    Configuration,
    NetworkStatus,
    NodeRecord,
    QuorumStatus,
    Start,
    Verdict,
)
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.ccf.governance import remove_node, set_recovery_threshold, transition_node_to_trusted
from ccf_operator.ccf.governance_answers import GovernanceAnswers, MemberAnswer, ProposalAnswer
from ccf_operator.ccf.messages import Action
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import AcknowledgeState, Propose, SignAsMember, Withdraw
from ccf_operator.domain.joining import DOUBTED, recovering_view
from ccf_operator.domain.observation import OperatorMemberView
from ccf_operator.domain.operator_member import standing
from ccf_operator.domain.proposals import act_as_member
from ccf_operator.domain.reasons import MemberReason, Reason
from ccf_operator.domain.topology import Governance, want_nodes
from unit.domain.given import (
    NEW,
    OLD,
    answers,
    attempt,
    config,
    configuration,
    crowned,
    draft,
    end,
    node_id,
    pending,
    pod,
    quorum,
    record,
    spec,
    status,
    view,
)

MEMBER, OTHER = "0e" * 32, "a1" * 32
KEY = OperatorMemberView("bank-operator", member_id=MEMBER)
ABC = [record("a", command=Command.START), record("b"), record("c")]
DEAD = [*ABC[:2], record("c", ended=end())]
JOINER = record("j", join_target="a")
ROWS = {"a": "Trusted", "b": "Trusted", "c": "Trusted", "j": "Pending"}
TRUSTED = transition_node_to_trusted(node_id("j"), "251231000000Z")


def member(**fields: Any) -> MemberAnswer:
    known: dict[str, Any] = {"member_id": MEMBER, "status": "Active", "certificate": "PEM", "recovers": False}
    return MemberAnswer(**{**known, **fields})


def consortium(*proposals: ProposalAnswer, service: str = "Open", **fields: Any) -> GovernanceAnswers:
    alice = MemberAnswer(OTHER, "Active", "PEM", recovers=True)
    return GovernanceAnswers((alice, member(**fields)), 1, proposals, service_status=service)


def is_open(*actions: Action, by: str = MEMBER, votes: Sequence[str] = (), number: int = 1) -> ProposalAnswer:
    return ProposalAnswer(f"{number:064d}", by, "Open", frozenset(votes), actions)


def without_minority(*, joiner: bool = True, members: str = "abc") -> dict[str, NodeAnswers]:
    said = quorum("a", "b", members=members, rows=ROWS if joiner else {k: v for k, v in ROWS.items() if k != "j"})
    return {**said, "j": pending("j")} if joiner else said


def work_on(
    nodes: list[NodeRecord],
    said: dict[str, NodeAnswers],
    governance: GovernanceAnswers | None = None,
    *,
    known: Configuration | None = None,
    before: NetworkStatus | None = None,
    verdict: Verdict = Verdict.DEGRADED,
    wanted: int = 3,
    **seen: Any,
) -> Draft:
    """What a look leads to, where the operator's member is there and active."""
    of = before or status(
        *nodes, configuration=known or configuration("a", "b", "c"), quorum=QuorumStatus(verdict=verdict)
    )
    looked: dict[str, Any] = {"operator_member": KEY, "governance": governance or consortium(), **seen}
    work = draft(of, answers=said, spec=spec(nodes=wanted), **looked)
    asked = want_nodes(work, view(work)) if of.attempt is None else Governance()
    act_as_member(work, view(work), None, asked)
    return work


def signed(work: Draft) -> list[SignAsMember]:
    return [effect for effect in work.effects if isinstance(effect, AcknowledgeState | Propose | Withdraw)]


def proposed(work: Draft) -> list[tuple[str, str]]:
    """Names of actions with the nodes they are about."""
    made = [effect for effect in signed(work) if isinstance(effect, Propose)]
    assert len(made) <= 1
    names = {node_id(name): name for name in "abcdefgj"}
    return [(action["name"], names[action["args"]["node_id"]]) for effect in made for action in effect.actions]


REPLACED = [("remove_node", "c"), ("transition_node_to_trusted", "j")]


# Nodes


def test_a_lost_minority_is_replaced_in_one_proposal() -> None:
    work = work_on([*DEAD, JOINER], without_minority())
    assert proposed(work) == REPLACED
    [message] = signed(work)
    assert (message.through, message.member_id) == ("a", MEMBER)


def test_the_dead_are_removed_at_once_while_nobody_waits_to_be_trusted() -> None:
    assert proposed(work_on(DEAD, without_minority(joiner=False))) == REPLACED[:1]


def test_where_all_is_well_nothing_is_signed() -> None:
    assert not signed(work_on(ABC, quorum("a", "b", "c", rows={n: "Trusted" for n in "abc"})))


@pytest.mark.parametrize(
    "seen",
    [
        {"j": NodeAnswers(reached=False, problem="timed out")},
        {"j": replace(pending("j"), node_id=node_id("x"))},
        {"j": answers("j", configs=None)},
    ],
    ids=["silent", "another node answers", "not waiting"],
)
def test_a_joiner_that_does_not_prove_to_be_there_is_not_trusted(seen: dict[str, NodeAnswers]) -> None:
    assert proposed(work_on([*DEAD, JOINER], {**without_minority(), **seen})) == REPLACED[:1]


def test_a_joiner_that_is_being_ended_is_not_trusted() -> None:
    pods = {name: pod(name, deleting=name == "j") for name in "abj"}
    assert proposed(work_on([*DEAD, JOINER], without_minority(), pods=pods)) == REPLACED[:1]
    stopped = record("j", join_target="a", stop="NotNeeded")
    assert proposed(work_on([*DEAD, stopped], without_minority())) == REPLACED[:1]


def test_a_node_that_the_operator_did_not_make_is_not_trusted() -> None:
    assert proposed(work_on(DEAD, without_minority())) == REPLACED[:1]


def test_what_has_been_applied_and_not_committed_is_not_proposed_again() -> None:
    rows = {**ROWS, "c": "Retired", "j": "Trusted"}
    said = {**quorum("a", "b", members="abc", rows=rows), "j": pending("j")}
    assert not signed(work_on([*DEAD, JOINER], said))


def test_surplus_nodes_leave_one_at_a_time() -> None:
    five = [*ABC, record("d"), record("e")]
    said = quorum("a", "b", "c", "d", "e", rows={n: "Trusted" for n in "abcde"})
    known = configuration(*"abcde")
    assert len(proposed(work_on(five, said, known=known))) == 1
    assert not signed(work_on(five, said, known=known, wanted=5))


def too_many(*silent: str, trusted: str = "abcd", leads: str = "a", **seen: Any) -> Draft:
    """A look at a service of one node more than is wanted."""
    told = [name for name in trusted if name not in silent and name != leads]
    said = quorum(leads, *told, members=trusted, rows={n: "Trusted" for n in trusted})
    known = configuration(*trusted)
    return work_on([record(n) for n in trusted], said, known=known, wanted=len(trusted) - 1, **seen)


@pytest.mark.parametrize("votes", [[], [OTHER]])
@pytest.mark.parametrize("silent", ["", "b", "c", "d"])
def test_the_surplus_node_whose_removal_is_open_stays_the_one_whoever_is_silent(silent: str, votes: list[str]) -> None:
    for name in "bcd":
        governance = consortium(is_open(remove_node(node_id(name)), votes=votes))
        work = too_many(*silent, governance=governance)
        assert not signed(work), name
        assert work.status.operator_member is not None
        assert work.status.operator_member.proposal is not None
        assert name in work.status.operator_member.proposal.what[0]


def test_one_that_has_come_to_lead_is_the_surplus_one_no_more() -> None:
    [message] = signed(too_many(leads="d", governance=consortium(is_open(remove_node(node_id("d"))))))
    assert isinstance(message, Withdraw)


def test_what_would_leave_no_quorum_makes_way_for_what_would_not() -> None:
    [message] = signed(too_many("c", "d", trusted="abcde", governance=consortium(is_open(remove_node(node_id("e"))))))
    assert isinstance(message, Withdraw)
    assert proposed(too_many("c", "d", trusted="abcde")) == [("remove_node", "d")]


def test_what_another_member_would_remove_is_not_what_the_operator_would() -> None:
    theirs = is_open(remove_node(node_id("b")), by=OTHER)
    assert proposed(too_many("d", governance=consortium(theirs))) == [("remove_node", "d")]


def test_of_nodes_that_are_as_new_it_is_always_the_same() -> None:
    for order in ("abcd", "dcba", "cdba"):
        nodes = [record(n) for n in order]
        said = quorum("a", "b", "c", "d", rows={n: "Trusted" for n in "abcd"})
        assert proposed(work_on(nodes, said, known=configuration(*"abcd"))) == [("remove_node", "d")]


def test_odd_actions_of_its_own_member_trouble_nobody() -> None:
    arguments: list[Any] = [None, [], {"node_id": [{}]}, {}]
    odd: list[Action] = [{"name": "remove_node", "args": args} for args in arguments]
    [message] = signed(too_many(governance=consortium(is_open(*odd))))
    assert isinstance(message, Withdraw)


@pytest.mark.parametrize("verdict", [Verdict.SUSPECTED, Verdict.LOST, Verdict.UNKNOWN])
def test_in_doubt_nothing_is_signed(verdict: Verdict) -> None:
    assert not signed(work_on([*DEAD, JOINER], without_minority(), verdict=verdict))


def test_nodes_that_a_person_has_ended_to_have_it_recovered_are_not_removed() -> None:
    known = {"configuration": configuration("a", "b", "c"), "quorum": QuorumStatus(verdict=Verdict.DEGRADED)}
    begun = Start(token="1-x", attempt=1, decision="drill", at=DEAD[0].planned_at)
    of = status(*DEAD, JOINER, start=begun, **known)
    work = draft(of, answers=without_minority(), operator_member=KEY, governance=consortium())
    act_as_member(work, view(work), None, Governance())
    assert not signed(work)


def test_while_a_change_is_under_way_no_other_is_proposed() -> None:
    two = (config("a", "b", "c"), config("a", "b", "j", seqno=20))
    said = {n: answers(n, configs=two, primary="a", acks={"a": 20, "b": 20}, rows=ROWS) for n in "abj"}
    assert not signed(work_on([*DEAD, JOINER], said))


def test_without_a_primary_or_an_open_service_nothing_is_signed() -> None:
    alone = {"a": answers("a", configs=[config("a", "b", "c")], rows=ROWS), "j": pending("j")}
    assert not signed(work_on([*DEAD, JOINER], alone))
    shut = {name: replace(one, ready_app=False) for name, one in without_minority().items()}
    assert not signed(work_on([*DEAD, JOINER], shut))


def test_a_service_that_was_never_open_is_the_members_to_open() -> None:
    of = status(*ABC, configuration=configuration("a", "b", "c"), quorum=QuorumStatus(verdict=Verdict.HEALTHY))
    of.service.opened_at = None
    said = quorum("a", "b", "c", status="Opening")
    assert not signed(work_on(ABC, said, consortium(service="Opening"), before=of))


# What is open already


@pytest.mark.parametrize("by", [MEMBER, OTHER])
def test_what_is_open_is_not_proposed_again(by: str) -> None:
    open_one = is_open(TRUSTED, remove_node(node_id("c")), by=by)
    assert not signed(work_on([*DEAD, JOINER], without_minority(), consortium(open_one)))


@pytest.mark.parametrize(
    "valid_from",
    ["260301000000Z", "260101000100Z", "251130000000Z", "", "yesterday", "2025-12-31 00:00:00", 251231, None],
)
@pytest.mark.parametrize("by", [MEMBER, OTHER])
def test_who_would_trust_a_node_with_an_odd_certificate_does_not_do_what_is_due(by: str, valid_from: Any) -> None:
    odd = {"name": "transition_node_to_trusted", "args": {"node_id": node_id("j"), "valid_from": valid_from}}
    governance = consortium(is_open(remove_node(node_id("c")), odd, by=by, votes=[OTHER]))
    work = work_on([*DEAD, JOINER], without_minority(), governance)
    assert work.status.operator_member is not None
    assert work.status.operator_member.proposal is None, "nobody is asked to vote for it"
    if by == MEMBER:
        assert isinstance(signed(work)[0], Withdraw)
    else:
        assert proposed(work) == REPLACED


@pytest.mark.parametrize("days", [1, 400, "90", 0])
def test_nor_does_who_would_trust_it_for_another_time(days: Any) -> None:
    limited = transition_node_to_trusted(node_id("j"), "251231000000Z", days)
    governance = consortium(is_open(remove_node(node_id("c")), limited, by=OTHER))
    assert proposed(work_on([*DEAD, JOINER], without_minority(), governance)) == REPLACED


@pytest.mark.parametrize("valid_from", ["251231000000Z", "251203000000Z", "251231120000Z"])
def test_on_which_day_it_was_proposed_makes_no_other_proposal(valid_from: str) -> None:
    some_day = is_open(remove_node(node_id("c")), transition_node_to_trusted(node_id("j"), valid_from), by=OTHER)
    assert not signed(work_on([*DEAD, JOINER], without_minority(), consortium(some_day)))


def test_another_proposal_of_a_member_is_no_reason_to_wait() -> None:
    other = is_open(remove_node(node_id("b")), by=OTHER)
    assert proposed(work_on([*DEAD, JOINER], without_minority(), consortium(other))) == REPLACED


def test_what_is_not_right_any_more_is_withdrawn_first() -> None:
    outdated = is_open(remove_node(node_id("c")), transition_node_to_trusted(node_id("x"), ""), votes=[OTHER])
    [message] = signed(work_on([*DEAD, JOINER], without_minority(), consortium(outdated)))
    assert isinstance(message, Withdraw)
    assert message.proposal_id == outdated.proposal_id


@pytest.mark.parametrize("votes", [[], [OTHER]])
@pytest.mark.parametrize("silent", ["j", "b"])
def test_what_is_open_stays_while_a_node_is_silent_for_a_moment(silent: str, votes: list[str]) -> None:
    five = [*DEAD, record("d"), record("e"), JOINER]
    rows = {**ROWS, "d": "Trusted", "e": "Trusted"}
    said = {**quorum("a", "b", "d", "e", members="abcde", rows=rows), "j": pending("j")}
    known = configuration(*"abcde")
    begun = work_on(five, said, known=known, wanted=5)
    [sent] = signed(begun)
    assert isinstance(sent, Propose)
    assert len(sent.actions) == 2
    quiet = {name: one for name, one in said.items() if name != silent}
    work = work_on(five, quiet, consortium(is_open(*sent.actions, votes=votes)), known=known, wanted=5)
    assert not signed(work)
    assert work.status.operator_member is not None
    assert work.status.operator_member.proposal is not None


def test_what_would_trust_a_joiner_that_has_ended_does_not() -> None:
    gone = record("j", join_target="a", ended=end())
    both = is_open(remove_node(node_id("c")), TRUSTED, votes=[OTHER])
    [message] = signed(work_on([*DEAD, gone], without_minority(), consortium(both)))
    assert isinstance(message, Withdraw)


def test_what_nobody_has_voted_for_makes_way_for_what_says_more() -> None:
    less = is_open(remove_node(node_id("c")))
    assert isinstance(signed(work_on([*DEAD, JOINER], without_minority(), consortium(less)))[0], Withdraw)
    voted = is_open(remove_node(node_id("c")), votes=[OTHER])
    work = work_on([*DEAD, JOINER], without_minority(), consortium(voted))
    assert not signed(work)
    assert work.status.operator_member is not None
    assert work.status.operator_member.proposal is not None, "members are asked to go on with it"
    assert work.status.operator_member.proposal.id == voted.proposal_id


def test_what_the_operator_would_never_propose_is_left_to_whoever_did() -> None:
    theirs = is_open(set_recovery_threshold(2))
    assert proposed(work_on([*DEAD, JOINER], without_minority(), consortium(theirs))) == REPLACED
    others = is_open(remove_node(node_id("b")), by=OTHER)
    assert not signed(work_on(ABC, quorum("a", "b", "c", rows={n: "Trusted" for n in "abc"}), consortium(others)))


def test_what_is_not_known_to_be_absent_is_not_proposed() -> None:
    later = replace(consortium(), service_status="WaitingForRecoveryShares")
    assert not signed(work_on([*DEAD, JOINER], without_minority(), later))
    partly = replace(consortium(), problem="no answer from /gov/members/proposals")
    assert not signed(work_on([*DEAD, JOINER], without_minority(), partly))


# How often


def after_a_crash(work: Draft, seconds: float, governance: GovernanceAnswers | None = None, **key: Any) -> Draft:
    """A look of another operator, which has nothing but the status that was written."""
    kept = NetworkStatus.model_validate_json(work.status.model_dump_json(by_alias=True))
    seen: dict[str, Any] = {"after": seconds, "operator_member": replace(KEY, **key)}
    return work_on([], without_minority(), governance, before=kept, **seen)


def test_a_message_that_may_have_been_sent_is_signed_again_only_after_a_while() -> None:
    first = work_on([*DEAD, JOINER], without_minority())
    assert not signed(after_a_crash(first, 4))
    again = after_a_crash(first, 5)
    assert signed(again) == signed(first)
    assert not signed(after_a_crash(again, 14))
    assert signed(after_a_crash(again, 15))


def test_nor_sooner_because_the_secret_could_not_be_read_in_between() -> None:
    first = work_on([*DEAD, JOINER], without_minority())
    unread = after_a_crash(first, 1, member_id=None, problem=MemberReason.SECRET_UNUSABLE, detail="no answer")
    assert not usable(unread)
    assert not signed(after_a_crash(unread, 4))
    assert signed(after_a_crash(unread, 5)) == signed(first)


def test_what_was_refused_to_one_member_is_not_held_against_another() -> None:
    first = work_on([*DEAD, JOINER], without_minority())
    [sent] = signed(first)
    refused = after_a_crash(first, 1, refused={sent.token: "403 not allowed"})
    new = "ff" * 32
    another = after_a_crash(refused, 2, consortium(member_id=new), member_id=new)
    assert not usable(refused)
    assert usable(after_a_crash(another, 2.5, consortium(member_id=new), member_id=new))


def test_a_message_that_arrived_is_not_signed_again() -> None:
    first = work_on([*DEAD, JOINER], without_minority())
    [sent] = signed(first)
    assert isinstance(sent, Propose)
    assert not signed(after_a_crash(first, 3600, consortium(is_open(*sent.actions))))


def test_one_message_is_followed_by_another_only_after_a_breath() -> None:
    first = work_on(DEAD, without_minority(joiner=False))
    known = {key: getattr(first.status, key) for key in ("configuration", "quorum", "operator_member")}
    kept = status(*DEAD, JOINER, **known)
    assert not signed(work_on([], without_minority(), before=kept, after=0.5))
    assert proposed(work_on([], without_minority(), before=kept, after=1)) == REPLACED


def test_what_ccf_refuses_is_told_in_its_words_and_left_to_the_members_until_it_is_taken() -> None:
    first = work_on([*DEAD, JOINER], without_minority())
    [sent] = signed(first)
    refused = after_a_crash(first, 6, refused={sent.token: "400 ProposalFailedToValidate: unknown action remove_node"})
    how = standing(refused)
    assert how is not None
    assert how.reason is MemberReason.REFUSED
    assert "unknown action remove_node" in how.message
    assert not usable(refused)
    assert signed(refused) == [sent]

    later = after_a_crash(refused, 7)
    assert not usable(later), "it is known to the next operator, too"
    taken = after_a_crash(later, 20, consortium(is_open(*sent.actions)))  # type: ignore[union-attr]
    assert not signed(taken)
    assert usable(after_a_crash(taken, 21, consortium(is_open(*sent.actions))))  # type: ignore[union-attr]


def usable(work: Draft) -> bool:
    return work.status.operator_member is not None and work.status.operator_member.usable


# Who signs


def test_a_member_that_has_not_acknowledged_the_state_does_so_first() -> None:
    work = work_on([*DEAD, JOINER], without_minority(), consortium(status="Accepted"))
    [message] = signed(work)
    assert isinstance(message, AcknowledgeState)
    assert not usable(work)


def test_it_acknowledges_a_service_that_is_yet_to_be_opened() -> None:
    of = status(*ABC, configuration=configuration("a", "b", "c"), quorum=QuorumStatus(verdict=Verdict.HEALTHY))
    of.service.opened_at = None
    opening = consortium(status="Accepted", service="Opening")
    work = work_on(ABC, quorum("a", "b", "c", status="Opening"), opening, before=of)
    assert isinstance(signed(work)[0], AcknowledgeState)


FORBIDDEN = OperatorMemberView("bank-operator", problem=MemberReason.SECRET_FORBIDDEN, detail="may not")


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ({"operator_member": FORBIDDEN}, MemberReason.SECRET_FORBIDDEN),
        ({"governance": GovernanceAnswers(problem="no answer")}, MemberReason.NOT_ASKED),
        ({"governance": GovernanceAnswers((MemberAnswer(OTHER, "Active", "PEM", True),))}, MemberReason.NOT_A_MEMBER),
        ({"governance": consortium(recovers=True)}, MemberReason.RECOVERY_MEMBER),
        ({"governance": consortium(status="Accepted")}, MemberReason.NOT_ACTIVE),
        ({}, MemberReason.USABLE),
    ],
)
def test_how_the_member_stands(seen: dict[str, Any], reason: MemberReason) -> None:
    work = work_on([*DEAD, JOINER], without_minority(), **seen)
    how = standing(work)
    assert how is not None
    assert how.reason is reason
    assert how.message
    assert usable(work) is (reason is MemberReason.USABLE)
    assert any(isinstance(effect, Propose) for effect in work.effects) is (reason is MemberReason.USABLE)


def test_without_a_member_nothing_is_signed_or_said() -> None:
    work = work_on([*DEAD, JOINER], without_minority(), operator_member=None)
    assert not signed(work)
    assert work.status.operator_member is None
    assert standing(work) is None


def test_a_look_that_could_not_ask_leaves_what_was_known() -> None:
    voting = consortium(is_open(remove_node(node_id("c")), TRUSTED, votes=[OTHER]))
    first = work_on([*DEAD, JOINER], without_minority(), voting)
    assert first.status.operator_member is not None
    known = first.status.operator_member.proposal
    assert known is not None
    assert known.ballots == 1
    second = work_on([], without_minority(), GovernanceAnswers(problem="no answer"), before=first.status)
    assert second.status.operator_member == first.status.operator_member
    another = replace(KEY, member_id="ff" * 32)
    third = work_on(
        [], without_minority(), GovernanceAnswers(problem="no answer"), before=first.status, operator_member=another
    )
    assert not usable(third)


# The opening after a recovery


def recovering(
    governance: GovernanceAnswers | None = None, *, previous: str = OLD, state: str = "Recovering", **fields: Any
) -> Draft:
    """A recovered network that waits for its members; `fields` are of the attempt."""
    known: dict[str, Any] = {"winner": crowned("a"), "phase": AttemptPhase.AWAITING_MEMBERS, **fields}
    nodes = [record("a", command=Command.RECOVER, attempt=1), record("b", attempt=1)]
    said = quorum("a", "b", key=NEW, status=state, state="PartOfPublicNetwork", previous=previous, ready_app=False)
    of = status(*nodes, attempt=attempt(**known))
    answered = replace(governance or consortium(), service_status=state)
    work = draft(of, answers=said, operator_member=KEY, governance=answered)
    assert work.status.attempt is not None
    assert work.status.attempt.winner is not None
    offered = recovering_view(work, work.status.attempt, work.status.attempt.winner)
    act_as_member(work, view(work), offered, Governance())
    return work


def test_the_opening_of_the_winner_is_proposed_with_both_identities() -> None:
    [message] = signed(recovering())
    assert isinstance(message, Propose)
    [action] = message.actions
    assert action["name"] == "transition_service_to_open"
    assert action["args"] == {"next_service_identity": f"PEM {NEW}", "previous_service_identity": f"PEM {OLD}"}


@pytest.mark.parametrize(
    "fields",
    [
        {"phase": AttemptPhase.JOINING},
        {"reason": DOUBTED},
        {"reason": "TwoServices"},
        {"previous": NEW},
        {"state": "WaitingForRecoveryShares"},
        {"winner": crowned("a", public_key="2" * 64)},
    ],
    ids=[
        "losers may live",
        "doubted",
        "the lost one is back",
        "goes on from another service",
        "accepted already",
        "not the winner's",
    ],
)
def test_it_is_proposed_only_where_members_may_be_asked_for_it(fields: dict[str, Any]) -> None:
    assert not signed(recovering(**fields))


@pytest.mark.parametrize("reason", [DOUBTED, Reason.TWO_SERVICES])
def test_what_is_proposed_is_withdrawn_while_it_is_not_sure_that_it_should_be_opened(reason: str) -> None:
    [sent] = signed(recovering())
    assert isinstance(sent, Propose)
    theirs = is_open(*sent.actions, by=OTHER, number=2)
    mine = is_open(*sent.actions, votes=[OTHER])
    [message] = signed(recovering(consortium(theirs, mine), reason=reason))
    assert isinstance(message, Withdraw)
    assert (message.proposal_id, message.through) == (mine.proposal_id, "a")
    assert not signed(recovering(consortium(theirs), reason=reason)), "what others propose is theirs"
    [again] = signed(recovering())
    assert again == sent


def test_what_was_left_open_by_the_lost_service_is_withdrawn() -> None:
    old = is_open(TRUSTED)
    [message] = signed(recovering(consortium(old)))
    assert isinstance(message, Withdraw)


def test_an_opening_with_a_certificate_that_was_renewed_since_is_replaced() -> None:
    [sent] = signed(recovering())
    assert isinstance(sent, Propose)
    assert not signed(recovering(consortium(is_open(*sent.actions))))
    renewed = {"name": sent.actions[0]["name"], "args": {**sent.actions[0]["args"], "next_service_identity": "before"}}
    [message] = signed(recovering(consortium(is_open(renewed))))
    assert isinstance(message, Withdraw)
