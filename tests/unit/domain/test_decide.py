from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccf_operator.api.status import AttemptPhase, AttemptResult, CandidateResult, Phase, Verdict
from ccf_operator.domain.txid import TxID
from unit.domain.world import World, digest
from unit.simulation.kubernetes_model import Claim


def test_a_new_network_starts_one_service_and_awaits_its_opening() -> None:
    world = World()
    world.settle()
    assert world.phase() is Phase.AWAITING_OPEN
    assert len(world.services) == 1
    assert len(world.living()) == 3
    assert "transition_service_to_open" in world.status.next_step
    assert not world.serving()


def test_an_opened_network_serves_on_all_nodes() -> None:
    world = World().running()
    assert world.phase() is Phase.RUNNING
    assert len(world.serving()) == 3
    assert world.verdict() is Verdict.HEALTHY
    assert {c.type: c.status for c in world.status.conditions}["Ready"] == "True"


def test_a_settled_network_writes_nothing_more() -> None:
    world = World().running()
    before = world.status.model_dump_json()
    for _ in range(5):
        world.step()
    assert world.status.model_dump_json() == before


def test_a_dead_minority_destroys_nothing_and_asks_the_members() -> None:
    world = World().running()
    first, *_ = world.living()
    world.kill(first)
    world.settle()
    assert world.phase() is Phase.DEGRADED
    assert first in world.status.message
    assert not world.deleted_running
    assert world.status.attempt is None
    newcomer = next(r for r in world.status.nodes if r.ended is None and r.joined_at is None)
    dead = world.status.node(first)
    assert dead is not None
    assert f"transition_node_to_trusted {newcomer.node_id}" in world.status.next_step
    assert f"remove_node {dead.node_id}" in world.status.next_step
    world.trust(newcomer.name, remove=first)
    world.settle()
    assert world.phase() is Phase.RUNNING
    assert len(world.serving()) == 3


def test_the_ledger_of_a_dead_member_is_not_given_to_its_replacement() -> None:
    world = World().running()
    first, *_ = world.living()
    world.kill(first)
    world.settle()
    dead = world.status.node(first)
    assert dead is not None
    assert [r.name for r in world.status.nodes if r.volume == dead.volume] == [first]


def test_a_lost_majority_is_recovered() -> None:
    world = World().running()
    committed = world.write(10)
    old = world.service
    volumes = set(world.claims)
    world.kill(*world.living()[:2])
    world.settle()
    attempt = world.status.attempt
    assert attempt is not None
    assert world.phase() is Phase.AWAITING_MEMBERS
    assert attempt.winner is not None
    assert TxID.parse(attempt.winner.tx_id) >= committed
    assert len(world.living()) == 3
    world.accept()
    world.settle()
    assert world.phase() is Phase.RUNNING
    assert len(world.serving()) == 3
    assert world.status.service.recovery_count == 1
    assert world.status.service.public_key != old.key
    assert world.status.service.previous_certificate == f"PEM {old.key}"
    assert world.status.recoveries == 1
    assert set(world.claims) == volumes
    assert world.status.history[0].result is AttemptResult.SUCCEEDED


def test_a_pending_joiner_of_the_lost_service_makes_room() -> None:
    world = World().running()
    world.kill(world.living()[0])
    world.settle()
    pending = next(r.name for r in world.status.nodes if r.ended is None and r.joined_at is None)
    world.kill(*(name for name in world.living() if name != pending))
    world.settle()
    assert pending not in world.living()
    assert len(world.living()) == 3


@pytest.mark.parametrize("times", [5])
def test_recovery_as_often_as_it_takes(times: int) -> None:
    world = World().running()
    for count in range(1, times + 1):
        committed = world.write(3)
        world.kill(*world.living()[:2])
        world.settle()
        assert world.status.attempt is not None
        assert world.status.attempt.winner is not None
        assert TxID.parse(world.status.attempt.winner.tx_id) >= committed
        world.accept()
        world.settle()
        assert world.phase() is Phase.RUNNING
        assert world.status.service.recovery_count == count
    assert len(world.claims) == 3


def test_silence_is_suspected_and_never_acted_upon() -> None:
    world = World().running()
    world.silence(*world.living())
    for _ in range(600):
        world.step()
    assert world.verdict() is Verdict.SUSPECTED
    assert world.status.attempt is None
    assert not world.deleted_running
    world.speak(*world.living())
    world.settle()
    assert world.phase() is Phase.RUNNING
    assert world.status.recoveries == 0


def test_a_suspicion_is_announced_only_after_the_window() -> None:
    world = World().running()
    world.silence(*world.living())
    world.step()
    assert world.verdict() is Verdict.HEALTHY
    assert world.status.quorum.unseen_since is not None
    world.now += timedelta(seconds=31)
    world.step()
    assert world.verdict() is Verdict.SUSPECTED


def test_a_silent_survivor_blocks_nobody_and_goes_only_once_the_winner_is_chosen() -> None:
    world = World().running()
    world.write(5)
    silent, *others = world.living()
    world.silence(silent)
    world.kill(*others)
    for _ in range(120):
        stopped = silent in world.deleted_running
        world.step()
        if world.status.attempt is not None and world.status.attempt.winner is not None:
            break
    assert not stopped
    world.settle()
    assert silent not in world.living()
    attempt = world.status.attempt
    assert attempt is not None
    assert attempt.winner is not None
    results = {c.volume: c.result for c in attempt.candidates}
    record = world.status.node(silent)
    assert record is not None
    assert results[record.volume] is CandidateResult.UNREACHABLE


def test_a_silent_survivor_is_not_waited_for_where_nothing_can_be_missing_without_it() -> None:
    world = World(recovery={"quorumLossWindow": "1h"}).running()
    world.write(5)
    silent, *others = world.living()
    world.silence(silent)
    world.kill(*others)
    world.settle()
    world.now += timedelta(seconds=2)
    world.settle()
    attempt = world.status.attempt
    assert attempt is not None
    assert attempt.phase is AttemptPhase.AWAITING_MEMBERS
    assert attempt.approval is None


def test_it_is_waited_for_where_something_may_be() -> None:
    world = World(recovery={"quorumLossWindow": "1h"}).running()
    world.write(5)
    silent, *others = world.living()
    world.boot_again()
    world.silence(silent)
    world.kill(*others)
    world.settle()
    attempt = world.status.attempt
    assert attempt is not None
    assert attempt.phase is AttemptPhase.FENCING


def test_one_volume_of_three_needs_a_person() -> None:
    world = World().running()
    world.write(5)
    world.kill(*world.living())
    for volume in list(world.claims)[:2]:
        del world.claims[volume]
    world.settle()
    assert world.phase() is Phase.BLOCKED
    assert world.status.reason == "ApprovalRequired"
    assert world.status.attempt is not None
    assert world.status.attempt.winner is None
    assert world.status.attempt.possible_loss


def test_after_a_power_cut_of_every_machine_a_person_is_asked() -> None:
    world = World().running()
    world.write(5)
    world.boot_again()
    world.kill(*world.living())
    world.settle()
    assert world.status.reason == "ApprovalRequired"


def test_unless_the_disks_are_trusted() -> None:
    world = World(recovery={"trustMachineDisks": True}).running()
    world.write(5)
    world.boot_again()
    world.kill(*world.living())
    world.settle()
    assert world.phase() is Phase.AWAITING_MEMBERS


def test_in_manual_mode_nothing_is_chosen() -> None:
    world = World(recovery={"mode": "Manual"}).running()
    world.kill(*world.living())
    world.settle()
    assert world.phase() is Phase.BLOCKED
    assert world.status.reason == "ApprovalRequired"
    assert world.status.attempt is not None
    assert world.status.attempt.winner is None


def test_a_disabled_recovery_says_how_to_enable_it() -> None:
    world = World(recovery={"mode": "Disabled"}).running()
    world.kill(*world.living())
    world.settle()
    assert world.phase() is Phase.BLOCKED
    assert world.status.reason == "RecoveryDisabled"
    assert "kubectl" in world.status.next_step


def test_a_winner_that_dies_alone_starts_the_recovery_anew() -> None:
    world = World(nodes=1).running()
    committed = world.write(5)
    world.kill(*world.living())
    world.settle()
    assert world.status.attempt is not None
    assert world.status.attempt.winner is not None
    world.kill(world.status.attempt.winner.node)
    world.settle()
    assert world.status.history[0].result is AttemptResult.SUPERSEDED
    assert world.status.attempt is not None
    assert world.status.attempt.number == 3, (
        "the second found out that the members had not opened the first one's network"
    )
    assert world.status.attempt.winner is not None
    assert TxID.parse(world.status.attempt.winner.tx_id) == committed


def test_a_winner_that_dies_among_its_joiners_is_no_new_loss() -> None:
    world = World().running()
    world.kill(*world.living())
    world.settle()
    assert world.status.attempt is not None
    assert world.status.attempt.winner is not None
    world.kill(world.status.attempt.winner.node)
    world.settle()
    assert world.status.attempt is not None
    assert world.status.attempt.number == 1
    world.accept()
    world.settle()
    assert world.status.recoveries == 1


def test_a_survivor_that_knows_a_living_configuration_vetoes() -> None:
    world = World().running()
    keeper, *others = world.living()
    world.change_members(frozenset({digest(keeper)}))
    world.kill(*others)
    world.settle()
    assert world.status.attempt is None
    assert keeper in world.living()


def test_more_nodes_wait_for_trust_and_fewer_for_removal() -> None:
    world = World().running()
    world.spec = world.spec.model_copy(update={"nodes": 4})
    world.generation = 2
    world.settle()
    assert len(world.living()) == 4
    assert "transition_node_to_trusted" in world.status.next_step
    world.spec = world.spec.model_copy(update={"nodes": 2})
    world.generation = 3
    world.settle()
    assert len(world.living()) == 3
    assert "remove_node" in world.status.next_step
    assert len(world.deleted_running) == 1


def test_deletion_lets_go_of_everything_but_the_volumes() -> None:
    world = World().running()
    volumes = set(world.claims)
    world.machines[world.pods[world.living()[0]].machine or ""].cut = True
    world.deleting = True
    for _ in range(5):
        world.step()
    assert world.gone
    assert set(world.claims) == volumes


def test_volumes_of_an_earlier_network_are_never_started_over() -> None:
    world = World()
    world.claims["bank-ledger-aaaaa-0"] = Claim("claim", "another")
    world.settle()
    assert world.phase() is Phase.BLOCKED
    assert world.status.reason == "VolumesFound"
    assert not world.services


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(crashes=st.lists(st.integers(0, 4), max_size=40), dead=st.integers(2, 3))
def test_an_operator_that_dies_between_any_two_effects_goes_on(crashes: list[int], dead: int) -> None:
    world = World().running()
    committed = world.write(4)
    world.kill(*world.living()[:dead])
    for crash in crashes:
        world.step(crash_after=crash)
    world.settle()
    assert world.status.attempt is not None
    assert world.status.attempt.number == 1
    assert world.status.attempt.winner is not None
    assert TxID.parse(world.status.attempt.winner.tx_id) >= committed
    world.accept()
    world.settle()
    assert world.phase() is Phase.RUNNING
    assert len(world.serving()) == 3
