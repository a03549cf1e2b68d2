"""What somebody has written into the status: believed only as far as nodes and kubelets do not say otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.status import (
    Counters,
    EndEvidence,
    HighWaterMark,
    NetworkStatus,
    NodeRecord,
    ServiceStatus,
    Start,
)
from ccf_operator.domain.decide import decide
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.edited import (
    correct_configuration,
    correct_high_water_mark,
    take_back_ends,
    take_back_stops,
)
from ccf_operator.domain.effects import DeleteConfigMap, DeletePod, ReleasePod
from ccf_operator.domain.observation import ContainerView
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
    config,
    configuration,
    crowned,
    end,
    ended_container,
    machine,
    node_id,
    observation,
    on,
    pod,
    quorum,
    record,
    status,
    view,
    volume,
)

KNOWN = ("a", "b", "c")


def network(first: NodeRecord, after: float = 0, heard: bool = True, **fields: Any) -> Draft:
    """A network that serves, the first of whose nodes has this record."""
    seen = {"pods": {name: pod(name) for name in KNOWN}, "answers": quorum(*KNOWN, commit="2.20") if heard else {}}
    known = {key: fields.pop(key) for key in ("high_water_mark", "configuration", "attempt", "start") if key in fields}
    of = status(first, record("b"), record("c"), **{"configuration": configuration(*KNOWN), **known})
    return Draft.of(observation(of, after=after, **{**seen, **fields}))


@pytest.mark.parametrize("evidence", [EndEvidence.CONTAINER_TERMINATED, EndEvidence.NEVER_STARTED])
@pytest.mark.parametrize("heard", [True, False])
def test_a_node_has_not_ended_that_runs(evidence: EndEvidence, heard: bool) -> None:
    work = network(record("a", ended=end(evidence)), heard=heard)
    take_back_ends(work)
    assert work.status.nodes[0].ended is None
    assert [event.reason for event in work.status.pending_events] == ["EndTakenBack"]


def test_a_node_said_to_have_ended_that_serves_is_neither_released_nor_replaced() -> None:
    work = network(record("a", ended=end(), stop="Gone", released=True))
    plan = decide(work.seen)
    assert not [effect for effect in plan.effects if isinstance(effect, DeletePod | ReleasePod)]
    assert [node.name for node in plan.status.nodes] == list(KNOWN)
    assert plan.status.nodes[0].fit


@pytest.mark.parametrize(
    ("there", "of", "taken_back"),
    [
        (machine(), on(), True),
        (machine(ready=False), on(), False),
        (machine(out_of_service=True), on(), False),
        (machine(boot_id="another"), on(), False),
        (machine(uid="another"), on(), False),
        (machine(), on(boot_id=None), False),
    ],
    ids=["it reports", "it is silent", "the word stands", "it has booted", "it is another", "not known"],
)
def test_a_word_that_was_taken_back_does_not_stand_against_the_machine(there: Any, of: Any, taken_back: bool) -> None:
    gone = record("a", machine=of, ended=end(EndEvidence.OUT_OF_SERVICE))
    work = network(gone, heard=False, machines={"m1": there})
    take_back_ends(work)
    assert (work.status.nodes[0].ended is None) is taken_back


@pytest.mark.parametrize(
    "ended",
    [
        pod("a", ccf=ended_container()),
        pod("a", uid="another"),
        pod("a", ccf=ContainerView(), phase="Failed"),
    ],
    ids=["its kubelet says so", "another pod runs", "its kubelet does not say"],
)
def test_an_end_that_nothing_speaks_against_stays(ended: Any) -> None:
    work = network(record("a", ended=end()), heard=False, pods={"a": ended})
    take_back_ends(work)
    assert work.status.nodes[0].ended is not None


@pytest.mark.parametrize("heard", [True, False])
def test_no_node_of_a_service_is_ended_because_its_record_says_so(heard: bool) -> None:
    plan = decide(network(record("a", stop="because"), heard=heard).seen)
    assert not [effect for effect in plan.effects if isinstance(effect, DeletePod)]
    assert plan.status.nodes[0].stop is None
    assert "StopTakenBack" in {event.reason for event in plan.status.pending_events}


IN_RECOVERY = configuration("b", "c").model_copy(update={"service": NEW})


def test_nor_is_one_of_the_service_that_is_being_recovered() -> None:
    part = attempt(candidate("b"), winner=crowned("r-b"), network=configuration("a", "b"), phase="AwaitingMembers")
    work = network(record("a", stop="because", attempt=1), heard=False, attempt=part)
    take_back_stops(work, view(work))
    assert work.status.nodes[0].stop is None


def test_volumes_without_a_service_or_a_node_are_as_good_as_unknown() -> None:
    plan = decide(observation(status(volumes=[volume("v-a")], service=ServiceStatus()), claims={"v-a": claim("v-a")}))
    assert plan.status.reason == "VolumesFound"
    assert plan.status.volumes == []


def test_an_attempt_of_nothing_is_set_aside_and_what_runs_is_left_alone() -> None:
    """Where service, volumes and nodes were taken out, the status is as good as gone."""
    left = NetworkStatus(attempt=attempt(candidate("a")), counters=Counters(next_node=100, next_volume=100))
    name = f"bank-{UID[:5]}-0"
    seen = observation(left, pods={name: pod(name)}, config_maps=frozenset({name}), claims={"v-a": claim("v-a")})
    plan = decide(seen)
    assert plan.status.attempt is None
    assert [past.number for past in plan.status.history] == [1]
    assert plan.status.reason == "VolumesFound"
    assert not [e for e in plan.effects if isinstance(e, DeletePod | ReleasePod | DeleteConfigMap)]


STAYS: dict[str, Draft] = {
    "Kubernetes was asked already": network(record("a", stop="x"), pods={"a": pod("a", deleting=True)}),
    "the members have removed it": network(
        record("a", stop="Retired"),
        answers=quorum("b", "c", members=("b", "c"), removable=("a",)),
    ),
    "it is no part of the service": network(record("a", stop="x"), configuration=configuration("b", "c")),
    "an attempt has to do with it": network(record("a", stop="Fenced"), attempt=attempt(candidate("a"))),
    "a person has it ended": network(
        record("a", stop="Started"),
        heard=False,
        start=Start(token="start-1", attempt=1, decision="word", at=START),
    ),
    "its attempt has not chosen it": network(
        record("a", stop="Loser", attempt=1), attempt=attempt(candidate("b"), winner=crowned("b"), network=IN_RECOVERY)
    ),
}


@pytest.mark.parametrize("why", STAYS)
def test_a_stop_that_may_be_right_stays(why: str) -> None:
    work = STAYS[why]
    take_back_stops(work, view(work))
    assert work.status.nodes[0].stop is not None


def marked(tx_id: str, seen_at: float = -60) -> dict[str, Any]:
    return {"high_water_mark": HighWaterMark(tx_id=tx_id, service=OLD, seen_at=at(seen_at))}


@pytest.mark.parametrize("tx_id", ["2.21", "3.1", "999.1"])
@pytest.mark.parametrize("seen_at", [-60, 3600])
def test_a_mark_that_nobody_has_reached_is_taken_back(tx_id: str, seen_at: float) -> None:
    work = network(record("a"), **marked(tx_id, seen_at))
    correct_high_water_mark(work, view(work))
    mark = work.status.high_water_mark
    assert mark is not None
    assert mark.tx_id == "2.20"
    assert [event.reason for event in work.status.pending_events] == ["HighWaterMarkCorrected"]


@pytest.mark.parametrize(
    "fields",
    [
        marked("2.20"),
        marked("2.21", -5),
        {**marked("2.21"), "answers": quorum("a", "b", members=KNOWN, commit="2.20")},
        {**marked("2.21"), "answers": quorum(*KNOWN, commit="2.20", view=3)},
        {**marked("2.21"), "answers": {}},
    ],
    ids=["it is right", "just now", "one is silent", "a new primary", "nobody answers"],
)
def test_a_mark_that_may_be_right_stays(fields: dict[str, Any]) -> None:
    work = network(record("a"), **fields)
    before = work.status.high_water_mark
    assert before is not None
    correct_high_water_mark(work, view(work))
    assert work.status.high_water_mark == before
    assert work.status.pending_events == []


@pytest.mark.parametrize(("seqno", "after", "forgotten"), [(21, 60, True), (20, 60, False), (21, 5, False)])
def test_a_configuration_beyond_all_that_was_committed_is_forgotten(seqno: int, after: float, forgotten: bool) -> None:
    work = network(record("a"), after, configuration=configuration(*KNOWN, seqno=seqno))
    correct_configuration(work, view(work))
    assert (work.status.configuration is None) is forgotten


def test_it_is_written_anew_from_what_the_primary_says() -> None:
    known = configuration("a", "x", "y", seqno=10**9)
    plan = decide(network(record("a"), 60, configuration=known).seen)
    assert plan.status.configuration is not None
    assert plan.status.configuration.seqno == 10
    assert plan.status.configuration.nodes == sorted(map(node_id, KNOWN))


def test_a_primary_that_has_not_committed_in_its_view_says_nothing_against_it() -> None:
    configs = (config(*KNOWN),)
    said = {name: answers(name, configs=configs, primary="a", view=3, commit="2.20") for name in KNOWN}
    work = network(record("a"), 60, configuration=configuration(*KNOWN, seqno=21), answers=said)
    correct_configuration(work, view(work))
    assert work.status.configuration is not None


def test_a_mark_that_does_not_parse_does_not_wedge_the_loop() -> None:
    seen = network(record("a")).seen
    broken = seen.status.model_copy(update={"high_water_mark": HighWaterMark(tx_id="x", service=OLD, seen_at=START)})
    plan = decide(replace(seen, status=broken))
    assert plan.status.outdated is not None or plan.status.high_water_mark != broken.high_water_mark
