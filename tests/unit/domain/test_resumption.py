"""A network that lost its status while its nodes run: taken up again only where nothing is in doubt."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.status import NetworkStatus, Phase
from ccf_operator.domain.decide import decide
from ccf_operator.domain.effects import CreateNode, CreateVolume, DeleteConfigMap, DeletePod, ReleasePod
from ccf_operator.domain.observation import Observation
from ccf_operator.domain.resumption import records_of
from ccf_operator.render.labels import GENERATION, RECOVERY_FACTS, ROLE
from unit.simulation.ccf_model import OPEN
from unit.simulation.history import History
from unit.simulation.stories import kill, names, opened

WORK = CreateNode | CreateVolume | DeletePod | ReleasePod | DeleteConfigMap


def lost(recovered: bool = False) -> Observation:
    """What a look shows of three nodes of an open service after its status was wiped."""
    history = opened()
    if recovered:
        kill(history)
        history.see_to_the_end()
    history.settle()
    history.lose_status()
    return history.observe()


def with_pod(seen: Observation, number: int, **fields: Any) -> Observation:
    name = sorted(seen.pods)[number]
    return replace(seen, pods={**seen.pods, name: replace(seen.pods[name], **fields)})


def relabelled(seen: Observation, number: int, **labels: str) -> Observation:
    pod = seen.pods[sorted(seen.pods)[number]]
    return with_pod(seen, number, labels={**pod.labels, **labels})


def silent(seen: Observation, *numbers: int) -> Observation:
    gone = {sorted(seen.pods)[number] for number in numbers}
    return replace(seen, answers={name: said for name, said in seen.answers.items() if name not in gone})


def of_another_service(seen: Observation, number: int) -> Observation:
    name = sorted(seen.pods)[number]
    said = seen.answers[name]
    assert said.network is not None
    another = replace(said, network=replace(said.network, service_key="ab" * 32))
    return replace(seen, answers={**seen.answers, name: another})


def with_facts(seen: Observation, **fields: Any) -> Observation:
    claims = {}
    for name, claim in seen.claims.items():
        facts = json.loads(claim.annotations[RECOVERY_FACTS])
        claims[name] = replace(claim, annotations={RECOVERY_FACTS: json.dumps({**facts, **fields})})
    return replace(seen, claims=claims)


@pytest.mark.parametrize("recovered", [False, True])
def test_it_goes_on_as_if_nothing_had_happened(recovered: bool) -> None:
    seen = lost(recovered)
    plan = decide(seen)
    status = plan.status
    assert (status.phase, status.next_step) == (Phase.RUNNING, "")
    assert [effect for effect in plan.effects if isinstance(effect, WORK)] == []
    assert {record.node_id for record in status.nodes} == set(
        status.configuration.nodes if status.configuration else ()
    )
    assert status.high_water_mark is not None
    assert status.recoveries == status.service.recovery_count == int(recovered)
    assert {v.service for v in status.volumes if v.lineage} == {status.service.public_key}
    assert "StatusResumed" in {event.reason for event in status.pending_events}


def test_clients_go_on_being_told_of_the_service_before_however_late_it_is_said() -> None:
    seen = lost(recovered=True)
    known = decide(seen).status.service.previous_certificate
    assert known is not None
    untold = {name: replace(said, previous_identity=None) for name, said in seen.answers.items()}
    awaited = {name: replace(said, awaited=True) for name, said in untold.items()}
    assert decide(replace(seen, answers=awaited)).status.reason == "VolumesFound"

    given_up = decide(replace(seen, answers=untold)).status
    assert (given_up.phase, given_up.service.previous_certificate) == (Phase.RUNNING, None)
    assert decide(replace(seen, status=given_up)).status.service.previous_certificate == known


def test_no_name_and_no_generation_is_given_again() -> None:
    seen = lost()
    status = decide(seen).status
    numbers = [int(name.rpartition("-")[2]) for name in (*seen.pods, *seen.claims)]
    assert status.counters.next_node > max(numbers)
    assert status.counters.next_volume > max(numbers)
    assert all(volume.next_generation > max(volume.lineage) + 1 for volume in status.volumes)


def test_a_member_that_is_dead_is_known_by_what_its_claim_says() -> None:
    history = opened()
    history.settle()
    dead = names(history)[2]
    history.kill(dead)
    history.pass_time(1)
    history.lose_status()
    status = decide(history.observe()).status
    record = status.node(dead)
    assert record is not None
    assert record.ended is not None
    assert status.configuration is not None
    assert record.node_id in status.configuration.nodes
    assert status.phase is Phase.DEGRADED
    assert f"remove_node {record.node_id}" in status.next_step


def test_a_service_that_was_not_open_yet_is_taken_up_once_it_is() -> None:
    history = History()
    history.settle()
    leader = history.leader()
    assert leader is not None
    history.lose_status()
    history.look()
    assert history.status.reason == "VolumesFound"
    history.ccf.change_status(leader, OPEN)
    history.settle()
    assert history.is_whole(), (history.status.phase, history.status.message)
    history.write()
    kill(history)
    history.see_to_the_end()
    assert history.is_whole()
    history.check_nothing_is_lost()


IN_DOUBT: dict[str, Callable[[Observation], Observation]] = {
    "no quorum": lambda seen: silent(seen, 1, 2),
    "a service that is not open yet": lambda seen: replace(
        seen, answers={name: replace(said, ready_app=False) for name, said in seen.answers.items()}
    ),
    "two services": lambda seen: of_another_service(seen, 2),
    "a candidate that does not answer": lambda seen: silent(relabelled(seen, 2, **{ROLE: "candidate"}), 2),
    "a winner of whom nothing is known": lambda seen: silent(relabelled(seen, 2, **{ROLE: "winner"}), 2),
    "a pod that does not say what it writes": lambda seen: with_pod(seen, 2, labels={}),
    "a claim that knows of a later service": lambda seen: with_facts(seen, recoveryCount=1, serviceKey="ab" * 32),
    "a claim of another service of the same time": lambda seen: with_facts(seen, serviceKey="ab" * 32),
    "another's objects": lambda seen: replace(seen, name_taken=("service/bank",)),
}


@pytest.mark.parametrize("doubt", IN_DOUBT.values(), ids=IN_DOUBT.keys())
def test_in_doubt_a_person_is_asked_and_nothing_is_touched(doubt: Callable[[Observation], Observation]) -> None:
    plan = decide(doubt(lost()))
    assert plan.status.phase is Phase.BLOCKED
    assert plan.status.next_step
    assert plan.status.nodes == []
    assert [effect for effect in plan.effects if isinstance(effect, WORK)] == []


def test_people_are_told_that_it_may_come_back_by_itself() -> None:
    status = decide(silent(lost(), 1, 2)).status
    assert status.reason == "VolumesFound"
    assert "the status of this network is gone while nodes of it run" in status.message
    assert status.next_step.startswith("wait, or have the members open the service")


def test_a_winner_whose_ancestors_are_not_known_is_not_taken_up() -> None:
    seen = lost(recovered=True)
    silenced = {name: replace(claim, annotations={}) for name, claim in seen.claims.items()}
    assert decide(replace(seen, claims=silenced)).status.reason == "VolumesFound"


def test_claims_that_others_have_left_were_decided_about() -> None:
    seen = lost()
    another = replace(next(iter(seen.claims.values())), name="bank-ledger-99999-0", uid="another", labels={})
    status = decide(replace(seen, claims={**seen.claims, another.name: replace(another, annotations={})})).status
    assert status.phase is Phase.RUNNING
    assert status.disowned == ["another"]


def test_only_a_status_that_knows_nothing_is_written_anew() -> None:
    history = opened()
    history.settle()
    before = history.status
    assert isinstance(before, NetworkStatus)
    assert decide(history.observe()).status.counters == before.counters


def test_pods_of_others_and_pods_that_read_volumes_are_no_nodes() -> None:
    seen = lost()
    pods = list(seen.pods.values())
    pods[0] = replace(pods[0], owner_uid="another")
    pods[1] = replace(pods[1], labels={**pods[1].labels, ROLE: "explorer"})
    pods[2] = replace(pods[2], labels={**pods[2].labels, GENERATION: "7"})
    assert [(record.name, record.generation) for record in records_of(pods, seen.uid)] == [(pods[2].name, 7)]
