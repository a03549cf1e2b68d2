from __future__ import annotations

import json

import pytest

from ccf_operator.api.decision import Action
from ccf_operator.api.volume_facts import VolumeFacts, read_facts
from ccf_operator.render.labels import RECOVERY_FACTS
from unit.domain.world import World


def facts(world: World, volume: str) -> VolumeFacts:
    known = read_facts(world.annotations[volume][RECOVERY_FACTS])
    assert known is not None
    return known


def test_every_volume_of_an_open_service_says_all_that_its_recovery_needs() -> None:
    world = World().running()
    for record in world.status.nodes:
        known = facts(world, record.volume)
        assert known.node_id == record.node_id
        assert known.service_key == world.service.key
        assert known.service_certificate == f"PEM {world.service.key}"
        assert known.configuration is not None
        assert set(known.configuration.nodes) == world.service.members
        assert (known.lineage, known.next_generation, known.disk_kept) == ([0], 1, False)


def test_nothing_is_said_of_a_service_that_never_opened() -> None:
    world = World()
    world.settle()
    assert world.annotations == {}


def test_a_busy_service_does_not_keep_writing_them() -> None:
    world = World().running()
    before = {name: dict(held) for name, held in world.annotations.items()}
    for _ in range(20):
        world.write(50)
        world.step()
    assert world.annotations == before


def test_an_attempt_changes_nothing_before_it_has_succeeded() -> None:
    world = World().running()
    before = {name: dict(held) for name, held in world.annotations.items()}
    world.kill(*world.living())
    world.settle()
    assert world.annotations == before
    world.accept()
    world.settle()
    said = {facts(world, name).recovery_count for name in world.annotations}
    assert said == {1}


def test_a_deleted_network_leaves_its_high_water_mark_and_how_its_nodes_ended() -> None:
    world = World().running()
    committed = world.write(50)
    world.settle()
    for _ in range(5):
        world.step()
    world.delete()
    for name in world.claims:
        known = facts(world, name)
        assert known.high_water_mark == str(committed)
        assert known.disk_kept


def test_a_network_deleted_in_the_middle_of_a_recovery_leaves_no_last_word() -> None:
    """The members may have opened the recovered service: the volumes are to be read."""
    world = World().running()
    world.kill(*world.living())
    world.settle()
    assert world.status.attempt is not None
    world.delete()
    assert {facts(world, name).final for name in world.claims} == {False}


def test_a_network_deleted_whose_recovered_service_may_have_opened_leaves_no_last_word() -> None:
    world = World().running()
    world.kill(*world.living())
    world.settle()
    world.accept()
    world.kill(*world.living())
    for _ in range(20):
        if world.status.unsettled is not None and world.status.attempt is None:
            break
        world.step()
    else:
        raise AssertionError(world.status.message)
    world.delete()
    assert {facts(world, name).final for name in world.claims} == {False}


def test_the_last_word_on_an_adopted_volume_is_taken_back_as_soon_as_it_is_recovered() -> None:
    world = World().running()
    world.delete()
    assert {facts(world, name).final for name in world.claims} == {True}
    world.create_again()
    world.settle()
    assert world.status.found is not None
    world.decide(Action.ADOPT, world.status.found.token or "")
    world.step()
    assert world.status.attempt is not None
    assert {facts(world, name).final for name in world.claims} == {False}


def test_what_no_operator_has_written_is_not_believed() -> None:
    assert read_facts(None) is None
    assert read_facts("no json") is None
    assert read_facts('{"serviceCertificate": "no certificate"}') is None
    assert read_facts('{"serviceCertificate": "x", "serviceKey": "y", "lineage": [1, 0]}') is None
    assert read_facts('{"serviceCertificate": "x", "serviceKey": "y", "lineage": []}') is None
    assert read_facts('{"serviceCertificate": "x", "serviceKey": "y", "version": 2}') is None
    assert read_facts('{"serviceCertificate": "x", "serviceKey": "y", "unknown": 1}') is not None


@pytest.mark.parametrize("field", ["nextGeneration", "nextNode", "nextVolume"])
@pytest.mark.parametrize(("number", "believed"), [(10**9, True), (10**9 + 1, False), (10**30, False), (-1, False)])
def test_numbers_that_no_operator_has_given_are_not_believed(field: str, number: int, believed: bool) -> None:
    facts = {"serviceCertificate": "x", "serviceKey": "y", field: number}
    assert (read_facts(json.dumps(facts)) is not None) == believed


def test_a_generation_that_no_operator_has_written_is_not_believed() -> None:
    assert read_facts('{"serviceCertificate": "x", "serviceKey": "y", "lineage": [0, 10000000000]}') is None
    assert read_facts('{"serviceCertificate": "x", "serviceKey": "y", "lineage": [-1, 0]}') is None
