from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.governance_status import GovernanceStatus, MembersStatus, ProposalStatus, SharesStatus
from ccf_operator.api.operator_member_status import AwaitedProposal, OperatorMemberStatus
from ccf_operator.api.status import (
    Attempt,
    AttemptPhase,
    Candidate,
    Command,
    EndEvidence,
    Found,
    FoundVolume,
    JoinFailures,
    NetworkStatus,
    ObstacleSource,
    Phase,
    QuorumStatus,
    ServiceStatus,
    Silence,
    SilenceCause,
    Start,
    Verdict,
)
from ccf_operator.domain.observation import ContainerView
from ccf_operator.domain.reasons import Reason
from ccf_operator.domain.service import view_service
from ccf_operator.domain.story import Story, tell
from ccf_operator.domain.topology import Governance
from ccf_operator.render import labels
from unit.domain.given import (
    NEW,
    OLD,
    UID,
    answers,
    at,
    attempt,
    config,
    configuration,
    crowned,
    draft,
    end,
    inputs,
    machine,
    node_id,
    pod,
    quorum,
    record,
    recovered,
    service,
    spec,
    status,
    view,
)

FIRST = record("a", command=Command.START, volume="v-a")
UNOPENED = ServiceStatus(public_key=OLD, certificate="PEM")


def told(of: NetworkStatus, *, governance: Governance | None = None, **seen: Any) -> Story:
    work = draft(of, **seen)
    running = of.attempt
    key = running.winner.public_key if running is not None and running.winner is not None else None
    recovering = view_service(work, key, work.status.nodes) if key is not None else None
    return tell(work, view(work), recovering, governance or Governance())


def verdict(which: Verdict, **fields: Any) -> QuorumStatus:
    return QuorumStatus(verdict=which, message="what was seen", **fields)


# Before the opening


def test_names_taken_by_others_block() -> None:
    taken = ("PodDisruptionBudget bank-trusted", "Service bank")
    story = told(status(FIRST, service=service(opened_at=None, public_key=None)), name_taken=taken)
    assert (story.phase, story.reason) == (Phase.BLOCKED, "NameTaken")
    assert "Service bank" in story.next_step
    mark = f"{labels.NETWORK_UID}={UID}"
    assert f"kubectl annotate poddisruptionbudget/bank-trusted service/bank {mark}" in story.next_step


def test_names_taken_by_others_do_not_hide_how_a_service_is() -> None:
    assert told(status(FIRST), name_taken=("PodDisruptionBudget bank-recovery",)).reason != "NameTaken"


def test_volumes_of_an_earlier_life_block_with_the_command_that_unblocks() -> None:
    unknown = FoundVolume(name="v-x", uid="u", shows="holds who knows what")
    story = told(NetworkStatus(found=Found(token="found-1", volumes=[unknown])))
    assert (story.phase, story.reason) == (Phase.BLOCKED, "VolumesFound")
    assert "v-x: holds who knows what" in story.message
    assert '"token": "found-1", "action": "Disown"' in story.next_step
    assert "Adopt" not in story.next_step
    ledger = unknown.model_copy(update={"service": OLD})
    assert "Adopt" in told(NetworkStatus(found=Found(token="found-1", volumes=[ledger]))).next_step


def test_while_volumes_are_read_it_says_how_many_and_no_decision() -> None:
    volumes = [FoundVolume(name=f"v-{n}", uid=f"u{n}", service=OLD, being_read=n == 2) for n in range(3)]
    story = told(NetworkStatus(found=Found(volumes=volumes)))
    assert (story.phase, story.reason) == (Phase.BLOCKED, "VolumesFound")
    assert story.next_step.startswith("wait")
    assert "2 of 3 volumes" in story.next_step
    assert "CCFRecoveryDecision" not in story.next_step


def test_while_a_volume_cannot_be_read_what_keeps_it_from_that_is_the_next_step() -> None:
    volumes = [FoundVolume(name=f"v-{n}", uid=f"u{n}", service=OLD, being_read=n == 2) for n in range(3)]
    seen = draft(NetworkStatus(found=Found(volumes=volumes)))
    seen.obstruct(ObstacleSource.API_SERVER, "PersistentVolumeClaim v-1", "QuotaExceeded", "of one that is read")
    assert tell(seen, view(seen), None, Governance()).next_step.startswith("wait")
    seen.obstruct(ObstacleSource.API_SERVER, "PersistentVolumeClaim v-2", "QuotaExceeded", "no room")
    assert tell(seen, view(seen), None, Governance()).next_step == ""


@pytest.mark.parametrize(
    "nodes",
    [
        (),
        (FIRST.model_copy(update={"pod_uid": None}),),
        (FIRST.model_copy(update={"ended": end()}),),
    ],
    ids=["nothing planned", "planned, and cannot be made", "the last try has ended"],
)
def test_missing_inputs_are_told_as_long_as_they_matter(nodes: Any) -> None:
    of = status(*nodes, service=ServiceStatus())
    story = told(of, inputs=inputs("ConfigMap constitution does not exist"), claims={})
    assert (story.phase, story.reason) == (Phase.CREATING, "InputsMissing")
    assert "constitution" in story.message


def test_a_first_node_that_failed_says_how_and_names_two_doors() -> None:
    gone = FIRST.model_copy(update={"ended": end().model_copy(update={"message": "bad threshold", "exit_code": 105})})
    story = told(status(gone, service=ServiceStatus()))
    assert (story.phase, story.reason) == (Phase.BLOCKED, "StartFailed")
    assert "105" in story.message
    assert "bad threshold" in story.message
    assert "correct the spec" in story.next_step
    assert "delete ccf" in story.next_step
    assert "pvc" not in story.next_step


def test_a_first_node_that_was_ended_may_have_served_and_has_one_door() -> None:
    gone = FIRST.model_copy(update={"ended": end()})
    story = told(status(gone, service=ServiceStatus()))
    assert (story.phase, story.reason) == (Phase.BLOCKED, "StartFailed")
    assert "correct the spec" not in story.next_step
    assert "delete ccf" in story.next_step


def test_where_several_services_may_be_meant_there_is_a_command_for_each() -> None:
    volumes = [FoundVolume(name=f"v-{n}", uid=f"u{n}", service=key) for n, key in enumerate((OLD, NEW))]
    story = told(NetworkStatus(found=Found(token="found-1", volumes=volumes, to_choose_from=["v-0", "v-1"])))
    for one in ("v-0", "v-1"):
        assert f'"action": "Adopt", "volume": "{one}"' in story.next_step


def test_what_a_first_node_waits_for() -> None:
    of = status(FIRST, service=ServiceStatus())
    assert "cannot be placed: no machine" in told(of, pods={"a": pod("a", unschedulable="no machine")}).message
    stuck = pod("a", stage=ContainerView(waiting_reason="ImagePullBackOff", waiting_message="no such image"))
    assert "ImagePullBackOff no such image" in told(of, pods={"a": stuck}).message


def test_a_first_node_or_a_joiner_that_runs_and_does_not_answer_is_not_told_as_starting() -> None:
    silence = Silence(since=at(0), cause=SilenceCause.TIMED_OUT, address="10.0.0.1:8443", words="connection timed out")
    told_as = "runs and does not answer at 10.0.0.1:8443 (connection timed out)"
    first = FIRST.model_copy(update={"silence": silence, "node_id": None})
    of = status(first, service=ServiceStatus())
    assert told(of, after=29).message == "a is starting"
    story = told(of, after=30)
    assert (story.phase, story.reason, story.message) == (Phase.CREATING, "Starting", f"a {told_as}")
    joiner = record("j", node_id=None, silence=silence)
    story = told(status(FIRST.model_copy(update={"joined_at": at(0)}), joiner, service=UNOPENED), after=30)
    assert story.message == f"1 of 3 nodes have joined; j {told_as}"


def test_joiners_that_fail_are_told_of() -> None:
    failures = JoinFailures(count=3, last_at=at(0), message="j: it ended (exit code 134)")
    of = status(FIRST.model_copy(update={"joined_at": at(0)}), service=UNOPENED, join_failures=failures)
    story = told(of)
    assert (story.phase, story.reason) == (Phase.CREATING, "Joining")
    assert "1 of 3" in story.message
    assert "3 in a row" in story.message
    assert "134" in story.message


@pytest.mark.parametrize("seen", [Verdict.LOST, Verdict.SUSPECTED])
def test_nobody_is_told_to_delete_volumes_of_a_service_that_may_have_been_opened_unseen(seen: Verdict) -> None:
    story = told(status(FIRST, service=UNOPENED, quorum=verdict(seen)))
    assert "kubectl -n default delete ccf bank" in story.next_step
    assert "pvc" not in story.next_step
    assert "nothing is lost" not in story.next_step


def test_lost_before_the_opening_is_blocked() -> None:
    story = told(status(FIRST, service=UNOPENED, quorum=verdict(Verdict.LOST)))
    assert (story.phase, story.reason) == (Phase.BLOCKED, "LostBeforeOpen")


KNOWN = GovernanceStatus(
    service=OLD,
    members=MembersStatus(active=2, total=3, not_active=["carol"], recovery=["alice", "bob"]),
    proposals=[
        ProposalStatus(id="ab" * 32, state="Open", actions=[], opens=True, proposer="alice", missing=["alice", "bob"])
    ],
    shares=SharesStatus(submitted=1, threshold=2, reported_by=["alice"]),
)


def test_who_has_voted_and_who_does_what_next_is_told_before_the_opening() -> None:
    nodes = [record(n, joined_at=at(0)) for n in "abc"]
    story = told(status(*nodes, service=UNOPENED, governance=KNOWN))
    assert "proposal abababab of alice to open it is open: voted nobody, not yet alice, bob" in story.message
    assert "carol: kubectl ccf ack bank -n default" in story.next_step
    assert "kubectl ccf vote bank abababab yes -n default" in story.next_step
    assert "ConfigMap bank-service-identity" in story.next_step, "without the plugin, too"


def test_silence_before_the_opening_is_not_told_as_waiting_for_members() -> None:
    nodes = [record(n, joined_at=at(0)) for n in "abc"]
    assert told(status(*nodes, service=UNOPENED)).phase is Phase.AWAITING_OPEN
    of = status(*nodes, service=UNOPENED, quorum=verdict(Verdict.SUSPECTED))
    assert told(of).reason == "QuorumSuspected"


# Open


def test_the_doors_of_a_loss_that_nobody_recovers() -> None:
    of = status(record("a"), quorum=verdict(Verdict.LOST))
    disabled = told(of, spec=spec(recovery={"mode": "Disabled"}))
    assert (disabled.phase, disabled.reason) == (Phase.BLOCKED, "RecoveryDisabled")
    assert '"mode":"Automatic"' in disabled.next_step
    between = told(of)
    assert (between.phase, between.reason) == (Phase.RECOVERING, "BetweenAttempts")


def test_a_suspicion_says_how_to_make_it_a_proof() -> None:
    dark = {"m1": machine(ready=False)}
    of = status(record("a"), quorum=verdict(Verdict.SUSPECTED), configuration=configuration("a"))
    story = told(of, machines=dark)
    assert (story.phase, story.reason) == (Phase.DEGRADED, "QuorumSuspected")
    assert story.next_step.startswith("find out whether the silent nodes' machines still run")
    assert "out-of-service" in story.next_step


def test_a_node_that_waits_for_the_dead_is_not_told_as_a_machine_that_is_down() -> None:
    # CCF facts §0.9. Its own word proves nothing, but tells a person what would.
    of = status(record("a"), record("j", ended=end()), quorum=verdict(Verdict.SUSPECTED))
    said = {"a": answers("a", configs=[config("a"), config("a", "j", seqno=30)])}
    assert "kubectl -n default delete pod a" in told(of, answers=said).next_step


def test_a_missed_look_changes_no_story() -> None:
    before = status(
        record("a"),
        phase=Phase.RUNNING,
        reason="Running",
        message="as before",
        quorum=verdict(Verdict.HEALTHY, unseen_since=at(0)),
    )
    assert told(before) == Story(Phase.RUNNING, Reason.RUNNING, "as before")


def test_ended_silent_and_whole() -> None:
    abc = configuration("a", "b", "c")
    nodes = [record("a"), record("b"), record("c", ended=end())]
    dead = told(
        status(*nodes, configuration=abc, quorum=verdict(Verdict.DEGRADED)), governance=Governance(ended=("x",))
    )
    assert (dead.phase, dead.reason) == (Phase.DEGRADED, "NodesEnded")
    assert "remove_node x" in dead.next_step
    silent = told(status(*nodes[:2], record("c"), configuration=abc, quorum=verdict(Verdict.DEGRADED)))
    assert (silent.phase, silent.reason, silent.message) == (Phase.DEGRADED, "NodesSilent", "what was seen")
    whole = told(status(*nodes[:2], record("c"), configuration=abc, quorum=verdict(Verdict.HEALTHY)))
    assert (whole.phase, whole.next_step) == (Phase.RUNNING, "")


def test_actions_that_belong_together_are_asked_for_in_one_proposal() -> None:
    asked = Governance(trust=(record("n"),), ended=(node_id("c"),))
    story = told(status(record("a"), record("c"), quorum=verdict(Verdict.HEALTHY)), governance=asked)
    assert story.next_step.startswith("members: propose and vote in one proposal: transition_node_to_trusted ")
    assert f"remove_node {node_id('c')} (c)" in story.next_step


def with_operator_member(**fields: Any) -> str:
    """The next step where a node has ended and another waits, and the operator has a member."""
    of = status(FIRST, record("b"), record("c", ended=end()), configuration=configuration("a", "b", "c"))
    of.operator_member = OperatorMemberStatus(member_id="0e", **fields)
    of.quorum = QuorumStatus(verdict=Verdict.DEGRADED)
    asked = Governance(trust=(record("j"),), ended=(node_id("c"),))
    return told(of, governance=asked, answers=quorum("a", "b", members="abc")).next_step


def test_members_are_not_asked_for_what_the_operator_does() -> None:
    assert with_operator_member(usable=True) == ""
    assert with_operator_member(usable=False).startswith("members: propose and vote in one proposal")


def test_where_the_constitution_wants_votes_for_it_members_are_asked_for_those() -> None:
    waits = AwaitedProposal(id="12345678" * 8, what=["remove node c"], ballots=1)
    said = with_operator_member(usable=True, proposal=waits)
    assert said.startswith("members: vote for proposal 12345678")
    assert "kubectl ccf vote bank 12345678 yes -n default" in said
    assert "1 ballot in, to remove node c" in said


# Recovering


def recovering(phase: AttemptPhase, *candidates: Candidate, **fields: Any) -> Attempt:
    return attempt(*(candidates or (recovered("a", "2.20"),)), phase=phase, **fields)


def chosen(phase: AttemptPhase, **fields: Any) -> Attempt:
    winner = crowned("r-a")
    return recovering(phase, winner=winner, network=configuration("r-a"), **fields)


CROWNED = record("r-a", volume="v-a", command=Command.RECOVER, attempt=1)


def test_what_an_attempt_waits_for() -> None:
    of = recovering(AttemptPhase.RECOVERING, reason="TryingAgain", message="v-a will be tried again")
    story = told(status(attempt=of))
    assert (story.phase, story.reason) == (Phase.RECOVERING, "TryingAgain")
    assert "1 of 1" in story.message
    assert "v-a will be tried again" in story.message


def test_the_doors_of_an_attempt_that_waits_for_a_person() -> None:
    lost = recovering(AttemptPhase.AWAITING_APPROVAL, reason="ApprovalRequired", message="m", possible_loss=["l"])
    assert "bring back" in told(status(attempt=lost)).next_step
    ready = recovering(AttemptPhase.AWAITING_APPROVAL, reason="ApprovalRequired", message="ready")
    assert '"action": "Approve"' in told(status(attempt=ready)).next_step


def test_after_the_choice_it_is_said_who_is_waited_for() -> None:
    of = chosen(AttemptPhase.JOINING)
    said = quorum("r-a", key=NEW, status="Recovering")
    j = record("j", attempt=1, planned_at=at(0))
    assert "j join it" in told(status(CROWNED, j, attempt=of), answers=said).message
    left = record("r-b", volume="v-b", command=Command.RECOVER, attempt=1, stop="Loser")
    story = told(status(CROWNED, left, attempt=of), answers=said)
    assert story.reason == "LosersRemain"
    assert "r-b" in story.message
    assert "out-of-service" in story.next_step


def test_a_recovering_network_without_a_primary_has_a_door() -> None:
    of = status(CROWNED, attempt=chosen(AttemptPhase.AWAITING_MEMBERS, leaderless_since=at(0)))
    electing = told(of, after=29)
    assert (electing.phase, electing.reason, electing.next_step) == (Phase.AWAITING_MEMBERS, "Electing", "")
    story = told(of, after=30)
    assert (story.phase, story.reason) == (Phase.RECOVERING, "NoPrimary")
    assert "kubectl -n default delete pod r-a" in story.next_step
    gone = told(of, after=30, pods={}).next_step
    assert "delete pod" not in gone
    assert "out-of-service" in gone


@pytest.mark.parametrize(
    ("said", "state", "reason"),
    [
        ("Recovering", "PartOfPublicNetwork", "AcceptService"),
        ("WaitingForRecoveryShares", "PartOfPublicNetwork", "RecoveryShares"),
        ("WaitingForRecoveryShares", "ReadingPrivateLedger", "Decrypting"),
        ("Open", "PartOfNetwork", "Opening"),
        ("WaitingForRecoveryShares", "PartOfNetwork", "DeadEndSuspected"),
    ],
)
def test_what_members_must_do_next(said: str, state: str, reason: str) -> None:
    of = status(CROWNED, attempt=chosen(AttemptPhase.AWAITING_MEMBERS))
    story = told(of, answers=quorum("r-a", key=NEW, status=said, state=state))
    assert (story.phase, story.reason) == (Phase.AWAITING_MEMBERS, reason)
    assert bool(story.next_step) == (reason in ("AcceptService", "RecoveryShares"))


def test_who_has_voted_and_who_does_what_next_is_told_after_a_recovery() -> None:
    of = status(CROWNED, attempt=chosen(AttemptPhase.AWAITING_MEMBERS), governance=KNOWN)
    accept = told(of, answers=quorum("r-a", key=NEW, status="Recovering", state="PartOfPublicNetwork"))
    assert "voted nobody, not yet alice, bob" in accept.message
    assert "kubectl ccf vote bank abababab yes -n default" in accept.next_step
    assert "/node/service/previous_identity, at r-a.bank-nodes.default" in accept.next_step
    shares = told(of, answers=quorum("r-a", key=NEW, status="WaitingForRecoveryShares", state="PartOfPublicNetwork"))
    assert "1 of 2 are in, as members' plugins reported (alice)" in shares.message
    assert shares.next_step.startswith("recovery members: bob: kubectl ccf submit-share bank -n default")


def test_decryption_is_told_with_its_progress() -> None:
    [said] = quorum("r-a", key=NEW, status="WaitingForRecoveryShares", state="ReadingPrivateLedger").values()
    assert said.state is not None
    far = replace(said, state=replace(said.state, last_recovered_seqno=800, recovery_target_seqno=3948))
    of = status(CROWNED, attempt=chosen(AttemptPhase.AWAITING_MEMBERS))
    assert "800 of 3948" in told(of, answers={"r-a": far}).message


def test_nodes_that_are_missing_from_a_recovered_service_are_named() -> None:
    of = status(CROWNED, record("late", attempt=1), attempt=chosen(AttemptPhase.AWAITING_MEMBERS))
    shares = quorum("r-a", key=NEW, status="WaitingForRecoveryShares", state="PartOfPublicNetwork")
    said = told(of, answers=shares).message
    assert "of 3 nodes have joined" in said
    assert "late came too late" in said


def test_nodes_that_may_have_run_while_nobody_looked_are_named_where_ends_are_awaited() -> None:
    unseen = end(EndEvidence.NEVER_STARTED)
    unseen.unseen = True
    known = record("b", ended=unseen), record("c", ended=end(EndEvidence.NEVER_STARTED))
    begun = Start(token="start-1", attempt=1, decision="drill", at=at(0), ending_since=at(0))
    story = told(status(record("a", ended=end()), *known, start=begun), after=10**4)
    assert story.message.endswith("; b may still run")
    assert "out-of-service" in story.next_step
