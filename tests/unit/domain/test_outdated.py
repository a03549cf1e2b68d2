"""Whether a status is older than what is found: each thing that proves it, and what only looks like it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.decision import Action, CCFRecoveryDecisionSpec
from ccf_operator.api.status import (
    Adopted,
    Counters,
    HighWaterMark,
    NetworkStatus,
    Outdated,
    Phase,
    ServiceStatus,
)
from ccf_operator.api.volume_facts import VolumeFacts, read_facts, write_facts
from ccf_operator.domain import effects as fx
from ccf_operator.domain.decide import decide
from ccf_operator.domain.identity import IdentityView
from ccf_operator.domain.observation import ContainerView, DecisionView, Observation, Terminated
from ccf_operator.render import labels
from unit.domain.given import (
    NEW,
    OLD,
    START,
    UID,
    answers,
    at,
    attempt,
    candidate,
    claim,
    configuration,
    crowned,
    end,
    ended_container,
    machine,
    node_id,
    observation,
    pending,
    pod,
    quorum,
    record,
    service,
    status,
)

KNOWN = ("a", "b", "c")
LATE = f"bank-{UID[:5]}-7"
"""A node below the counter."""
BEYOND = f"bank-{UID[:5]}-100"
"""One that was never planned, as the status has it."""
TOUCHES = (
    fx.CreateVolume
    | fx.AnnotateVolume
    | fx.CreateNode
    | fx.DeletePod
    | fx.ReleasePod
    | fx.DeleteConfigMap
    | fx.LabelPod
    | fx.ApplyServices
    | fx.ApplyTrustedBudget
    | fx.ApplyRecoveryBudget
    | fx.RemoveRecoveryBudget
    | fx.TakeOver
    | fx.ApplyIdentity
    | fx.RemoveNodeRow
)


def running(**fields: Any) -> Observation:
    """A network of three nodes that serves, all as the status has it."""
    of = status(*map(record, KNOWN), configuration=configuration(*KNOWN), **fields)
    return observation(of, answers=quorum(*KNOWN))


def silent(**fields: Any) -> Observation:
    """The same, and nobody answers."""
    return replace(running(**fields), answers={})


def facts(**fields: Any) -> VolumeFacts:
    known: dict[str, Any] = {
        "network_uid": UID,
        "lineage": [0],
        "next_generation": 1,
        "service_certificate": f"PEM {OLD}",
        "service_key": OLD,
    }
    return VolumeFacts(**{**known, **fields})


def told(seen: Observation, volume: str = "v-a", **fields: Any) -> Observation:
    """What a claim says."""
    annotated = replace(seen.claims[volume], annotations={labels.RECOVERY_FACTS: write_facts(facts(**fields))})
    return replace(seen, claims={**seen.claims, volume: annotated})


def with_pod(seen: Observation, name: str, **fields: Any) -> Observation:
    return replace(seen, pods={**seen.pods, name: pod(name, **fields)})


def with_claim(seen: Observation, name: str, **fields: Any) -> Observation:
    return replace(seen, claims={**seen.claims, name: claim(name, **fields)})


def refused(*claims: dict[str, Any]) -> ContainerView:
    message = json.dumps({"version": 1, "outcome": "Outdated", "claims": list(claims)})
    return ContainerView(terminated=Terminated(6, message=message))


def staged(seen: Observation, stage: ContainerView) -> Observation:
    return with_pod(seen, "a", stage=stage, ccf=ContainerView(), phase="Failed")


def in_an_attempt(*candidates: str, **fields: Any) -> NetworkStatus:
    made = attempt(*map(candidate, candidates), **fields)
    nodes = [record(f"r-{name}", volume=f"v-{name}", generation=1, attempt=1) for name in candidates]
    return status(*(record(name, ended=end()) for name in KNOWN), *nodes, attempt=made)


def without_a_record(**fields: Any) -> Observation:
    """Somebody has taken the record of node `a` out of the status; its pod is there, which wrote on `v-a`."""
    of = running().status.model_copy(update={"nodes": [record("b"), record("c")]}, deep=True)
    wrote = {labels.VOLUME: "v-a", labels.GENERATION: "0"}
    return with_pod(observation(of), "a", **{"labels": wrote, **fields})


NEWER: dict[str, Observation] = {
    "a pod of a number never planned, though it has ended": with_pod(
        silent(), BEYOND, ccf=ContainerView(started_at=START, terminated=Terminated(0))
    ),
    "a pod that runs and is on no record": with_pod(silent(), LATE),
    "a pod that runs under the name of another": with_pod(silent(), "a", uid="another"),
    "a pod that serves and is on no record": replace(
        with_pod(silent(), LATE), answers={LATE: answers(LATE, primary=LATE)}
    ),
    "a ConfigMap of a number never planned": replace(silent(), config_maps=frozenset({BEYOND})),
    "a claim of a number never planned": with_claim(silent(), f"bank-ledger-{UID[:5]}-100"),
    "a claim that is on no record": with_claim(silent(), f"bank-ledger-{UID[:5]}-7"),
    "a claim that knows of a later service": told(silent(), service_key=NEW, recovery_count=1),
    "a claim that knows of another service": told(silent(), service_key=NEW),
    "a claim whose ledger goes on": told(silent(), lineage=[0, 1], next_generation=1),
    "a claim that knows of later generations": told(silent(), next_generation=2),
    "a claim that knows of later nodes": told(silent(), next_node=101),
    "a claim that knows of later volumes": told(silent(), next_volume=101),
    "a claim that knows of a later configuration": told(silent(), configuration=configuration(*KNOWN, seqno=11)),
    "a claim that knows of another configuration at that seqno": told(silent(), configuration=configuration("a")),
    "a claim that knows another count of recoveries of that service": told(silent(service=service(recovery_count=3))),
    "a claim that knows that the service was open": told(silent(service=service(opened_at=None))),
    "no certificate on record": silent(service=service(certificate=None)),
    "a claim that knows of a service where none is on record": told(silent(service=ServiceStatus())),
    "clients that know of a later service": replace(silent(), identity=IdentityView(NEW, 1)),
    "clients that know of another service": replace(silent(), identity=IdentityView(NEW, 0)),
    "a generation that another node has claimed": staged(
        silent(), refused({"generation": 0, "node": "x", "command": "Join", "recoveryCount": 0})
    ),
    "a generation above all that were given away": staged(
        silent(), refused({"generation": 1, "node": "x", "command": "Join", "recoveryCount": 0})
    ),
    "a generation that nobody says who has claimed": staged(silent(), refused({"generation": 5, "node": None})),
    "nodes that serve as another service": replace(
        silent(), answers=quorum(*KNOWN, key=NEW, recovery_count=1, previous=OLD)
    ),
    "no node on record": observation(status(volumes=silent().status.volumes)),
    "no volume on record": observation(status(*map(record, KNOWN), volumes=[])),
    "so few members on record that no end of theirs proves a loss": observation(
        status(record("a"), configuration=configuration(*KNOWN)), answers={}
    ),
    "no configuration on record": observation(status(*map(record, KNOWN)), answers={}),
    "an attempt whose node is not on record": observation(
        in_an_attempt("a").model_copy(update={"nodes": [record("a", ended=end())]})
    ),
    "a pod that has ended and wrote the ledger on record": without_a_record(ccf=ended_container(), phase="Failed"),
    "one whose machine is said to be gone": replace(
        without_a_record(), machines={"m1": machine(out_of_service=True)}, answers={}
    ),
    "an attempt that knows of a node which is not on record": observation(
        in_an_attempt("a", members_of={node_id("a"): "v-a", node_id("x"): "v-x"})
    ),
    "an attempt whose volume is not on record": observation(in_an_attempt("a").model_copy(update={"volumes": []})),
    "a candidate that was chosen": with_pod(
        observation(in_an_attempt("a", "b")), "r-a", labels={labels.ROLE: labels.Role.WINNER.value}
    ),
    "a mark that is none": silent(high_water_mark=HighWaterMark(tx_id="many", service=OLD, seen_at=START)),
    "a winner's transaction id that is none": observation(
        in_an_attempt("a", winner=crowned("r-a", tx_id="2."), phase="Joining")
    ),
}


@pytest.mark.parametrize("what", NEWER)
def test_nothing_is_decided_from_a_status_that_is_older(what: str) -> None:
    seen = NEWER[what]
    plan = decide(seen)
    assert (plan.status.phase, plan.status.reason) == (Phase.BLOCKED, "StatusOutdated")
    assert plan.status.outdated is not None
    assert plan.status.outdated.evidence
    assert plan.status.outdated.evidence[0].what in plan.status.message
    assert "kubectl" in plan.status.next_step
    assert [effect for effect in plan.effects if isinstance(effect, TOUCHES)] == []
    assert "StatusOutdated" in {event.reason for event in plan.status.pending_events}
    assert plan.status.nodes == seen.status.nodes, "a person may put the newest one back"
    again = decide(replace(seen, status=plan.status))
    assert again.status.outdated == plan.status.outdated, "its own counters speak for it"
    assert again.status.counters == plan.status.counters


def test_claims_that_a_person_has_adopted_are_not_held_against_the_status_for_their_counts() -> None:
    adopted = Adopted(decision="adopt", at=START, network_uids=[UID])
    seen = told(silent(service=service(recovery_count=3), adopted=adopted))
    assert decide(seen).status.outdated is None


def test_a_claim_that_names_another_service_than_the_one_that_serves_is_corrected() -> None:
    plan = decide(told(running(), service_key=NEW))
    assert plan.status.outdated is None
    [written] = [
        read_facts(one.facts) for one in plan.effects if isinstance(one, fx.AnnotateVolume) and one.volume == "v-a"
    ]
    assert written is not None
    assert written.service_key == OLD


@pytest.mark.parametrize("what", NEWER)
def test_it_goes_on_once_nothing_is_newer_any_more(what: str) -> None:
    was = decide(NEWER[what]).status
    newest = running().status.model_copy(update={"outdated": None, "counters": was.counters})
    goes_on = decide(replace(running(), status=newest))
    assert goes_on.status.outdated is None
    assert goes_on.status.phase is Phase.RUNNING
    assert goes_on.status.counters.next_node >= was.counters.next_node


AS_IT_SHOULD_BE: dict[str, Observation] = {
    "all is as it should be": running(),
    "no configuration on record, and a primary tells of it": observation(
        status(*map(record, KNOWN)), answers=quorum(*KNOWN)
    ),
    "enough members on record to prove a loss": observation(
        status(record("a"), record("b"), configuration=configuration(*KNOWN)), answers={}
    ),
    "one that has not told its id, who may be a member": observation(
        status(record("a"), record("x", node_id=None), configuration=configuration(*KNOWN)), answers={}
    ),
    "few members on record, and a primary leads": observation(
        status(record("a"), record("b", node_id=None), configuration=configuration("a", "b")),
        answers=quorum("a", members=("a",)),
    ),
    "no certificate on record, and a primary tells it": running(service=service(certificate=None)),
    "another configuration at that seqno is told of, and a primary knows": told(
        running(), configuration=configuration("a")
    ),
    "the configuration on record is told of in another order": told(
        silent(), configuration=configuration(*KNOWN[::-1])
    ),
    "claims say what is on record": told(running(), next_node=100, next_volume=100, high_water_mark="2.10"),
    "a claim says what was before the last recovery": told(
        silent(service=service(public_key=NEW, recovery_count=1)), recovery_count=0
    ),
    "a claim is of an earlier network": told(running(), network_uid="another", recovery_count=7, next_node=900),
    "a pod is of an earlier network": with_pod(running(), BEYOND, owner_uid="another"),
    "a claim of an earlier network is there": with_claim(running(), "x", labels={labels.NETWORK_UID: "another"}),
    "a disowned claim is there": with_claim(running(disowned=["uid-x"]), "x"),
    "a late pod that never started": with_pod(running(), LATE, ccf=ContainerView(), stage=ContainerView(running=True)),
    "a late pod that has ended": with_pod(
        running(), LATE, ccf=ContainerView(started_at=START, terminated=Terminated(0))
    ),
    "one without a record that never started": without_a_record(
        ccf=ContainerView(), stage=ended_container(3), phase="Failed"
    ),
    "a person has adopted the volume on which it wrote": replace(
        without_a_record(ccf=ended_container()),
        status=without_a_record().status.model_copy(update={"adopted": Adopted(decision="d", at=START)}),
    ),
    "an attempt goes on from what a person has adopted": observation(
        in_an_attempt("a", members_of={node_id("x"): "v-x"}).model_copy(
            update={"adopted": Adopted(decision="d", at=START)}
        )
    ),
    "a late joiner that is outside": replace(
        with_pod(running(), LATE), answers={**quorum(*KNOWN), LATE: pending(LATE)}
    ),
    "a late candidate of an attempt that is over": replace(
        with_pod(running(), LATE),
        answers={**quorum(*KNOWN), LATE: answers(LATE, key=NEW, status="Recovering", recovery_count=1)},
    ),
    "clients are told by hand, and the service serves": replace(running(), identity=IdentityView(NEW, 99)),
    "clients are still told of the service before": replace(
        silent(service=service(public_key=NEW, recovery_count=1)), identity=IdentityView(OLD, 0)
    ),
    "clients were told of a service that was disowned": replace(
        silent(service=service(opened_at=None)), identity=IdentityView(NEW, 1)
    ),
    "a person has decided about what the claims say": replace(
        told(silent(adopted=Adopted(decision="d", at=START)), service_key=NEW, recovery_count=1),
        identity=IdentityView(NEW, 1),
    ),
    "a node on record is refused for what another on record has claimed": staged(
        observation(
            status(
                record("a"),
                record("b", volume="v-a", generation=1, ended=end()),
                record("c"),
                configuration=configuration(*KNOWN),
            )
        ),
        refused({"generation": 1, "node": "b"}),
    ),
    "`stage` says nothing that reads": staged(silent(), ContainerView(terminated=Terminated(6, message="?"))),
    "the reading of a volume that shows nothing has left numbers out": told(running(), next_generation=101, final=True),
}


@pytest.mark.parametrize("what", AS_IT_SHOULD_BE)
def test_what_only_looks_like_it_stops_nothing(what: str) -> None:
    assert decide(AS_IT_SHOULD_BE[what]).status.outdated is None


def test_nothing_that_runs_is_ended_for_want_of_a_record() -> None:
    plan = decide(with_pod(running(), LATE))
    assert not [effect for effect in plan.effects if isinstance(effect, fx.DeletePod | fx.ReleasePod)]


def test_what_a_claim_or_a_node_shows_to_be_given_away_is_never_given_again() -> None:
    seen = told(replace(silent(), config_maps=frozenset({BEYOND})), next_generation=7, next_node=300, next_volume=250)
    found = decide(seen).status
    assert found.counters.next_node >= 300
    assert found.counters.next_volume >= 250
    volume = found.volume("v-a")
    assert volume is not None
    assert volume.next_generation > 6
    lower = replace(seen, status=found, claims=running().claims, config_maps=frozenset())
    assert decide(lower).status.counters == found.counters, "never lowered"


@pytest.mark.parametrize("edited", ["counters", "generations"])
def test_counters_below_what_the_records_show_are_raised(edited: str) -> None:
    named = [record(f"bank-{UID[:5]}-{n}", volume=f"bank-ledger-{UID[:5]}-{n}") for n in range(3)]
    of = status(*named, configuration=configuration(*(one.name for one in named)))
    if edited == "counters":
        of.counters = Counters()
    for volume in of.volumes if edited == "generations" else ():
        volume.next_generation = 0
    after = decide(observation(of, answers=quorum(*(one.name for one in named)))).status
    assert after.phase is Phase.RUNNING
    assert after.counters.next_node > 2
    assert after.counters.next_volume > 2
    assert all(volume.next_generation > 0 for volume in after.volumes)


@pytest.mark.parametrize(
    "action", [Action.START, Action.APPROVE, Action.RESUME, Action.ABORT, Action.PIN, Action.EXCLUDE]
)
def test_what_is_decided_from_an_old_status_is_refused(action: Action) -> None:
    seen = told(silent(), service_key=NEW, recovery_count=1)
    spec = CCFRecoveryDecisionSpec(network="bank", token="start-0", action=action, volume=None)
    plan = decide(replace(seen, decisions=(DecisionView("word", "uid-word", at(0), spec),)))
    [answer] = [effect for effect in plan.effects if isinstance(effect, fx.AnswerDecision)]
    assert answer.state.value == "Refused"
    assert "out of date" in answer.message
    assert "no node was touched" in answer.message


def test_a_pod_that_answers_is_told_from_one_on_record_by_its_uid() -> None:
    """The pod of a node that is on record may have been made anew under its name."""
    seen = with_pod(running(), "a", uid="another", ccf=ContainerView(), stage=ContainerView())
    assert decide(seen).status.outdated is None


def test_a_network_that_is_deleted_writes_nothing_older_on_its_way() -> None:
    seen = replace(told(silent(), service_key=NEW, recovery_count=1), deleting=True)
    written = [effect.volume for effect in decide(seen).effects if isinstance(effect, fx.AnnotateVolume)]
    assert "v-a" not in written
    assert written


def test_a_status_that_was_found_to_be_older_is_not_the_last_word_on_its_volumes() -> None:
    outdated = Outdated(since=START, next_node=100, next_volume=100)
    plan = decide(replace(silent(outdated=outdated), deleting=True))
    written = [json.loads(effect.facts) for effect in plan.effects if isinstance(effect, fx.AnnotateVolume)]
    assert written
    assert {one["final"] for one in written} == {False}


def test_what_stops_a_ledger_from_going_is_told_all_the_same() -> None:
    """Whoever is on record does not count then: any volume with a ledger may be needed."""
    of = status(volumes=silent().status.volumes, configuration=configuration(*KNOWN))
    going = {name: claim(name, deleting=True) for name in silent().claims}
    plan = decide(observation(of, claims=going, answers={}))
    assert plan.status.reason == "StatusOutdated"
    assert "kubectl patch pv pv-v-a pv-v-b pv-v-c" in plan.status.next_step


def test_how_a_pod_is_let_go_whose_end_nobody_reports_is_told() -> None:
    """To delete it once more changes nothing, and no volume is read while it may run."""
    given_up = {"deleting": True, "phase": "Failed", "ccf": ContainerView(), "stage": ContainerView()}
    door = decide(with_pod(silent(), BEYOND, **given_up)).status.next_step
    assert f"kubectl -n default patch pod {BEYOND} --type json" in door
    assert f"delete pod {BEYOND}" not in door
    assert "patch pod" not in decide(with_pod(silent(), BEYOND, **{**given_up, "phase": "Running"})).status.next_step


def test_many_pieces_of_evidence_are_counted() -> None:
    seen = replace(silent(), config_maps=frozenset(f"bank-{UID[:5]}-{n}" for n in range(100, 120)))
    assert "and 14 more" in decide(seen).status.message


def test_what_is_being_taken_away_is_told_of_meanwhile() -> None:
    seen = with_claim(silent(outdated=Outdated(since=START, next_node=100, next_volume=100)), "v-a", deleting=True)
    plan = decide(told(seen, volume="v-b", service_key=NEW, recovery_count=1))
    assert plan.status.reason == "StatusOutdated"
    assert "replace --subresource=status" in plan.status.next_step
    assert "persistentVolumeReclaimPolicy" in plan.status.next_step
    assert "ClaimsTerminating" in {event.reason for event in plan.status.pending_events}
