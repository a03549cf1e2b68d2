from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.status import CandidateResult, Condition, NetworkStatus, Phase
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import Report
from ccf_operator.domain.observation import ClaimView, PersistentVolumeView
from ccf_operator.domain.reasons import Reason
from ccf_operator.domain.story import Story, beside
from ccf_operator.domain.taken import (
    Taken,
    Taking,
    can_be_read,
    in_the_way,
    must_be_kept_first,
    tell_of_taking,
    what_is_taken,
)
from ccf_operator.render import labels
from unit.domain.given import (
    START,
    attempt,
    candidate,
    claim,
    configuration,
    draft,
    end,
    machine,
    pod,
    record,
    status,
    volume,
)

RETAIN = PersistentVolumeView("pv-v-a", "uid-pv", "Retain", claim=("default", "v-a"), claim_uid="uid-v-a")
DELETE = replace(RETAIN, reclaim_policy="Delete")
GOING = claim("v-a", deleting=True)
KEEP = """kubectl patch pv pv-v-a -p '{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}'"""
AGAIN = """kubectl patch pv pv-v-a --type json -p '[{"op":"remove","path":"/spec/claimRef/uid"}]'"""


def running(**fields: Any) -> NetworkStatus:
    """Node a, on claim v-a and volume pv-v-a."""
    known = volume("v-a", persistent_volume="pv-v-a", persistent_volume_uid="uid-pv")
    known_of = {"volumes": [known], "configuration": configuration("a"), **fields}
    return status(record("a"), **known_of)


def seen(found: ClaimView | None, pv: PersistentVolumeView | None = RETAIN, of: Any = None, **fields: Any) -> Draft:
    claims = {"v-a": found} if found is not None else {}
    return draft(of or running(), claims=claims, persistent_volumes={"pv-v-a": pv} if pv else {}, **fields)


def test_nothing_is_taken_where_all_is_there() -> None:
    for pv in (RETAIN, DELETE, None):
        assert what_is_taken(seen(claim("v-a"), pv)) is None


@pytest.mark.parametrize(
    ("found", "pv", "reason", "says", "door"),
    [
        pytest.param(GOING, DELETE, Taking.CLAIMS_TERMINATING, "would go along", KEEP, id="a claim and its volume go"),
        pytest.param(GOING, None, Taking.CLAIMS_TERMINATING, "would go along", KEEP, id="a claim goes, who knows more"),
        pytest.param(GOING, RETAIN, Taking.CLAIMS_TERMINATING, "volumes stay", "", id="a claim goes, its volume stays"),
        pytest.param(None, RETAIN, Taking.VOLUMES_MISSING, "no claim for v-a", AGAIN, id="gone, and its volume there"),
        pytest.param(None, None, Taking.VOLUMES_MISSING, "no claim for v-a", "", id="both gone"),
        pytest.param(
            claim("v-a", phase="Lost"), None, Taking.VOLUMES_MISSING, "volumes of v-a are gone", "", id="volume gone"
        ),
        pytest.param(
            claim("v-a"), replace(RETAIN, deleting=True), Taking.VOLUMES_TERMINATING, "pv-v-a", "keep", id="volume goes"
        ),
        pytest.param(
            claim("v-a", uid="new", phase="Pending"), RETAIN, Taking.CLAIMS_REPLACED, "another claim", AGAIN, id="waits"
        ),
        pytest.param(
            claim("v-a", uid="new", phase="Pending"),
            replace(RETAIN, claim_uid=None),
            Taking.CLAIMS_REPLACED,
            "another claim",
            "",
            id="about to be bound",
        ),
        pytest.param(
            claim("v-a", uid="new", volume_name="pv-x"), RETAIN, Taking.CLAIMS_REPLACED, "another", "", id="elsewhere"
        ),
    ],
)
def test_what_goes_is_named_with_the_command_that_stops_it(
    found: ClaimView | None, pv: PersistentVolumeView | None, reason: Taking, says: str, door: str
) -> None:
    taken = what_is_taken(seen(found, pv))
    assert taken is not None
    assert taken.reason is reason
    assert says in taken.message
    assert door in taken.door
    assert bool(door) == bool(taken.door)


def test_a_machine_that_goes_is_named_with_what_runs_there_and_holds_no_recovery_up() -> None:
    goes = {"m1": machine("m1", deleting=True)}
    on = seen(claim("v-a"), pods={"a": pod("a")}, machines=goes)
    taken = what_is_taken(on)
    assert taken is not None
    assert taken.reason is Taking.MACHINES_TERMINATING
    assert "Node m1 with a" in taken.message
    assert "kubectl get node m1 -o yaml" in taken.door
    assert what_is_taken(seen(claim("v-a"), pods={"a": pod("a", machine="m2")}, machines=goes)) is None
    assert what_is_taken(seen(claim("v-a"), pods={"a": pod("a")}, machines={"m1": machine("m1")})) is None
    gone = seen(None, None, pods={"a": pod("a")}, machines=goes)
    both = what_is_taken(gone)
    assert both is not None
    assert both.reason is Taking.VOLUMES_MISSING
    assert both.door
    assert must_be_kept_first(gone, ["v-a"]) is None, "as if no machine went"


def test_a_namespace_that_goes_is_all_that_is_told() -> None:
    taken = what_is_taken(seen(GOING, DELETE, namespace_terminating=True))
    assert taken is not None
    assert taken.reason is Taking.NAMESPACE_TERMINATING
    assert "the ledgers on pv-v-a" in taken.message
    assert KEEP in taken.door


def test_only_what_a_recovery_needs_counts() -> None:
    gone = {"volumes": [volume("v-a"), volume("v-b")]}
    removed = status(record("a", ended=end()), configuration=configuration("b"), **gone)
    assert what_is_taken(seen(None, None, removed)) is None
    wanted = status(record("a", ended=end()), attempt=attempt(candidate("a")), **gone)
    assert what_is_taken(seen(None, None, wanted)) is not None
    excluded = attempt(candidate("a", result=CandidateResult.EXCLUDED))
    assert what_is_taken(seen(None, None, status(record("a", ended=end()), attempt=excluded, **gone))) is None
    unborn = running(volumes=[volume("v-a", uid=None)])
    assert what_is_taken(seen(None, None, unborn)) is None


def test_it_is_told_once() -> None:
    work = seen(GOING, DELETE)
    taken = what_is_taken(work)
    assert taken is not None
    tell_of_taking(work, taken)
    assert [e.reason for e in work.effects if isinstance(e, Report)] == ["ClaimsTerminating"]
    known = Condition(
        type="Recoverable", status="False", reason=taken.reason, message=taken.message, last_transition_time=START
    )
    again = seen(GOING, DELETE, running(conditions=[known]))
    tell_of_taking(again, taken)
    assert again.effects == []
    tell_of_taking(again, replace(taken, message="more goes"))
    assert again.effects != []


def test_a_recovery_waits_where_it_could_start_nothing_and_that_may_change() -> None:
    assert must_be_kept_first(seen(GOING), ["v-a"]) is not None
    assert must_be_kept_first(seen(None), ["v-a"]) is not None
    assert must_be_kept_first(seen(claim("v-a")), ["v-a"]) is None
    assert must_be_kept_first(seen(None, None), ["v-a"]) is None, "an attempt tells that nothing is left"
    assert must_be_kept_first(seen(claim("v-a"), namespace_terminating=True), ["v-a"]) is not None
    both = running(volumes=[volume("v-a"), volume("v-b")])
    work = draft(both, claims={"v-a": GOING, "v-b": claim("v-b")})
    assert must_be_kept_first(work, ["v-a", "v-b"]) is None
    assert [can_be_read(work, name) for name in ("v-a", "v-b", "v-c")] == [False, True, False]


def test_members_stay_asked_and_what_helps_is_said_beside_it() -> None:
    taken = Taken(Taking.CLAIMS_TERMINATING, "", KEEP)
    asked = beside(Story(Phase.RUNNING, Reason.RUNNING, "", "members: propose"), taken).next_step
    assert asked.startswith("members: propose")
    assert KEEP in asked
    assert beside(Story(Phase.RUNNING, Reason.RUNNING, ""), taken).next_step == KEEP
    assert beside(Story(Phase.RUNNING, Reason.RUNNING, ""), None).next_step == ""


def test_a_running_pod_is_no_obstacle_to_words() -> None:
    work = seen(GOING, DELETE, pods={"a": pod("a")})
    assert what_is_taken(work) is not None


@pytest.mark.parametrize(
    ("other", "pv", "in_way"),
    [
        pytest.param(claim("v-b", deleting=True), "pv-v-b", [], id="its claim goes, and is made anew"),
        pytest.param(None, "pv-v-b", [], id="its claim is gone, and is made anew"),
        pytest.param(claim("v-b", uid="new"), "pv-v-b", [], id="its new claim is being read"),
        pytest.param(None, None, ["a"], id="it is gone for good"),
        pytest.param(claim("v-b", uid="new", volume_name="pv-x"), "pv-v-b", ["a"], id="another volume bears its claim"),
    ],
)
def test_nobody_is_to_make_way_while_other_ledgers_come_again(
    other: ClaimView | None, pv: str | None, in_way: list[str]
) -> None:
    of = status(
        record("a"),
        record("b", ended=end()),
        volumes=[
            volume("v-a", persistent_volume="pv-v-a", retained_since=START),
            volume("v-b", persistent_volume="pv-v-b", retained_since=START),
        ],
    )
    claims = {"v-a": GOING, **({"v-b": other} if other is not None else {})}
    volumes = {"pv-v-a": RETAIN, **({pv: replace(RETAIN, name=pv)} if pv is not None else {})}
    pods = {"a": pod("a", labels={labels.VOLUME: "v-a"})}
    assert in_the_way(draft(of, after=60, claims=claims, persistent_volumes=volumes, pods=pods)) == in_way


def test_what_keeps_a_pod_from_being_let_go_is_told_whatever_it_holds() -> None:
    of = status(record("a", ended=end()), volumes=[volume("v-a")])
    held = {"a": pod("a", labels={labels.VOLUME: "v-a"})}
    taken = what_is_taken(seen(GOING, DELETE, of, pods=held))
    assert taken is not None
    assert taken.reason is Taking.CLAIMS_TERMINATING
    assert KEEP in taken.door
    assert what_is_taken(seen(GOING, DELETE, of)) is None
    assert what_is_taken(seen(GOING, RETAIN, of, pods=held)) is not None, "it is kept for some seconds more"


@pytest.mark.parametrize(
    ("found", "pv", "told"),
    [
        pytest.param(claim("v-a", uid="new", phase="Pending"), RETAIN, True, id="made anew, and the status forgets it"),
        pytest.param(claim("v-a", uid="new"), RETAIN, False, id="bound"),
        pytest.param(claim("v-a", uid="new", phase="Pending", deleting=True), RETAIN, False, id="it goes"),
        pytest.param(claim("v-a", uid="new", phase="Pending"), None, False, id="no volume"),
        pytest.param(
            claim("v-a", uid="new", phase="Pending"), replace(RETAIN, claim_uid=None), False, id="about to be bound"
        ),
        pytest.param(
            claim("v-a", uid="new", phase="Pending"), replace(RETAIN, claim=("x", "v-a")), False, id="of another"
        ),
        pytest.param(
            claim("v-a", uid="new", phase="Pending"), replace(RETAIN, deleting=True), False, id="the volume goes"
        ),
    ],
)
def test_a_claim_that_waits_for_its_volume_is_told_of_though_no_status_knows_it(
    found: ClaimView, pv: PersistentVolumeView | None, told: bool
) -> None:
    forgot = status(volumes=[])
    taken = what_is_taken(seen(found, pv, forgot))
    assert (taken is not None and AGAIN in taken.door and taken.reason is Taking.CLAIMS_REPLACED) is told
    older = what_is_taken(seen(found, pv, status(volumes=[volume("v-a", uid=None)])))
    assert (older is not None and AGAIN in older.door) is told
    disowned = status(volumes=[], disowned=["new"])
    assert what_is_taken(seen(found, pv, disowned)) is None
