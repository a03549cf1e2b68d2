from __future__ import annotations

import json

import pytest

from ccf_operator.api.decision import Action
from ccf_operator.api.status import AttemptPhase, AttemptResult, Found, Phase
from ccf_operator.domain.exploration import UNPLACED
from ccf_operator.domain.txid import TxID
from ccf_operator.render.labels import RECOVERY_FACTS
from unit.domain.given import NEW, OLD
from unit.domain.world import UID, World
from unit.simulation.kubernetes_model import Claim


def deleted_and_applied_again() -> World:
    """A network that was open, was written to, was deleted by mistake and applied again."""
    world = World().running()
    world.write(7)
    world.settle()
    world.delete()
    world.create_again()
    world.settle()
    return world


def found(world: World) -> Found:
    assert world.status.found is not None
    return world.status.found


def token(world: World) -> str:
    shown = found(world).token
    assert shown is not None
    return shown


def test_no_new_service_is_started_over_the_volumes_of_an_earlier_life() -> None:
    world = deleted_and_applied_again()
    assert (world.phase(), world.status.reason) == (Phase.BLOCKED, "VolumesFound")
    assert len(world.services) == 1
    assert world.pods == {}
    assert {v.name for v in found(world).volumes} == set(world.claims)
    assert all(v.service == world.services[0].key for v in found(world).volumes)
    assert token(world) in world.status.next_step


def test_adopted_volumes_are_recovered_without_any_loss() -> None:
    world = deleted_and_applied_again()
    committed = world.services[0].commit
    decision = world.decide(Action.ADOPT, token(world))
    world.settle()
    assert world.answer(decision) == "Applied"
    assert world.phase() is Phase.AWAITING_MEMBERS
    attempt = world.attempt
    assert attempt.approval is None
    assert attempt.base_recovery_count == 0
    assert attempt.winner is not None
    assert TxID.parse(attempt.winner.tx_id) >= committed
    world.accept()
    world.settle()
    assert world.phase() is Phase.RUNNING
    assert world.status.history[0].result is AttemptResult.SUCCEEDED
    assert world.status.adopted is None
    assert world.status.found is None


def test_a_recovered_network_is_adopted_as_it_was_last_open() -> None:
    world = World().running()
    world.kill(*world.living())
    world.settle()
    world.accept()
    world.settle()
    world.write(3)
    world.settle()
    second = world.service
    world.delete()
    world.create_again()
    world.settle()
    world.decide(Action.ADOPT, token(world))
    world.settle()
    attempt = world.attempt
    assert (attempt.base_service, attempt.base_recovery_count) == (second.key, 1)
    assert attempt.winner is not None
    assert TxID.parse(attempt.winner.tx_id) >= second.commit
    winner = next(c for c in attempt.candidates if c.volume == attempt.winner.volume)
    assert winner.lineage


def test_what_an_interrupted_attempt_wrote_is_no_base_but_is_looked_at() -> None:
    world = World().running()
    world.write(7)
    world.settle()
    base = world.service
    world.kill(*world.living())
    world.settle()
    assert world.phase() is Phase.AWAITING_MEMBERS
    world.delete()
    world.create_again()
    world.settle()
    world.decide(Action.ADOPT, token(world))
    world.step()
    attempt = world.attempt
    assert attempt.base_service == base.key
    assert all(c.lineage == [0] and c.doubtful[:1] == [1] for c in attempt.candidates)


def test_too_few_adopted_volumes_need_approval() -> None:
    world = World().running()
    world.write(7)
    world.delete()
    for name in sorted(world.claims)[1:]:
        del world.claims[name]
    world.create_again()
    world.settle()
    world.decide(Action.ADOPT, token(world))
    world.settle()
    attempt = world.attempt
    assert attempt.phase is AttemptPhase.AWAITING_APPROVAL
    assert attempt.possible_loss
    world.decide(Action.APPROVE, attempt.token)
    world.settle()
    assert world.phase() is Phase.AWAITING_MEMBERS


def test_volumes_whose_nodes_ends_nobody_saw_prove_nothing() -> None:
    """The object was deleted with its finalizer torn off, or the cluster was lost: a machine may have gone down."""
    world = World().running()
    world.write(7)
    world.settle()
    world.pods.clear()
    world.create_again()
    world.settle()
    world.decide(Action.ADOPT, token(world))
    world.settle()
    assert world.attempt.phase is AttemptPhase.AWAITING_APPROVAL


def test_pods_that_the_earlier_object_left_behind_are_let_go() -> None:
    """Somebody took its finalizer off: nobody else takes the pods' own off."""
    world = World().running()
    left = set(world.pods)
    world.kill(*world.living())
    world.create_again()
    world.settle()
    assert set(world.pods) == left
    world.decide(Action.ADOPT, token(world))
    world.settle()
    assert set(world.pods).isdisjoint(left)


def test_disowned_volumes_are_left_alone_for_ever() -> None:
    world = deleted_and_applied_again()
    before = dict(world.ledgers)
    old = set(world.claims)
    decision = world.decide(Action.DISOWN, token(world))
    world.settle()
    assert world.answer(decision) == "Applied"
    assert world.phase() is Phase.AWAITING_OPEN
    assert len(world.services) == 2
    assert {pod.volume for pod in world.pods.values()}.isdisjoint(old)
    assert old <= set(world.claims)
    assert {key: world.ledgers[key] for key in before} == before


def test_with_a_lost_status_no_decision_about_an_attempt_of_before_is_good_for_one_after() -> None:
    world = World().running()
    world.kill(*world.living())
    world.step()
    before = world.attempt
    world.kill(*world.living())
    world.lose_status()
    world.settle()
    world.decide(Action.ADOPT, token(world))
    world.step()
    after = world.attempt
    assert after.number != before.number
    assert after.token != before.token


def test_with_a_lost_status_no_name_is_given_twice() -> None:
    world = World().running()
    pods, claims = set(world.pods), set(world.claims)
    world.kill(*world.living())
    world.lose_status()
    world.settle()
    world.decide(Action.ADOPT, token(world))
    world.settle()
    assert world.phase() is Phase.BLOCKED, "nobody knows how those nodes ended"
    world.decide(Action.APPROVE, world.attempt.token)
    world.settle()
    world.accept()
    world.settle()
    assert world.phase() is Phase.RUNNING
    assert set(world.pods).isdisjoint(pods)
    assert {name for name in world.claims if name not in claims}.isdisjoint(claims)


@pytest.mark.parametrize("action", [Action.ADOPT, Action.DISOWN])
def test_nothing_is_decided_while_nodes_of_it_may_still_run(action: Action) -> None:
    world = World().running()
    living = world.living()
    world.silence(*living[1:])
    world.lose_status()
    world.settle()
    assert found(world).token is None
    assert f"delete pod {living[0]}" in world.status.next_step
    decision = world.decide(action, "found-early")
    world.settle()
    assert world.answer(decision) == "Refused"
    assert living[0] in world.answered[decision][0][1]
    assert world.living() == living
    assert world.status.reason == "VolumesFound"


def test_what_was_found_since_needs_another_decision() -> None:
    world = deleted_and_applied_again()
    early = token(world)
    world.claims["another"] = Claim("uid-another", UID)
    world.settle()
    world.now += UNPLACED
    world.settle()
    assert token(world) != early
    decision = world.decide(Action.DISOWN, early)
    world.settle()
    assert world.answer(decision) == "Refused"
    assert len(world.services) == 1


def test_volumes_that_never_held_an_open_service_can_only_be_disowned() -> None:
    world = World()
    world.settle()
    world.delete()
    world.create_again()
    world.settle()
    assert "Adopt" not in world.status.next_step
    decision = world.decide(Action.ADOPT, token(world))
    world.settle()
    assert world.answer(decision) == "Refused"
    world.decide(Action.DISOWN, token(world))
    world.settle()
    assert world.phase() is Phase.AWAITING_OPEN


def test_two_services_of_equal_standing_are_told_apart_by_a_volume() -> None:
    world = deleted_and_applied_again()
    first = sorted(world.claims)[0]
    facts = json.loads(world.annotations[first][RECOVERY_FACTS])
    world.annotations[first][RECOVERY_FACTS] = json.dumps({**facts, "serviceKey": "e" * 64})
    world.settle()
    undecided = world.decide(Action.ADOPT, token(world))
    world.settle()
    assert world.answer(undecided) == "Refused"
    named = world.decide(Action.ADOPT, token(world), volume=sorted(world.claims)[1])
    world.settle()
    assert world.answer(named) == "Applied"
    assert {c.volume for c in world.attempt.candidates} == set(sorted(world.claims)[1:3])


Says = tuple[str | None, str, int]
"""What a claim says: of which network, which service, recovered how often."""


@pytest.mark.parametrize(
    ("claims", "choices"),
    [
        ([("one", OLD, 0), ("one", OLD, 0)], 0),
        ([("one", OLD, 0), ("one", NEW, 1)], 0),
        ([("one", OLD, 0), ("two", NEW, 1)], 2),
        ([("one", OLD, 0), ("two", OLD, 0), ("two", NEW, 1)], 2),
        ([("one", OLD, 0), ("one", NEW, 0)], 2),
        ([(None, OLD, 0), (None, NEW, 1)], 2),
        ([(None, OLD, 0), ("one", OLD, 0)], 0),
    ],
    ids=[
        "one service",
        "one network, recovered",
        "another network was recovered more often",
        "a network that has come from the other, and it",
        "two services of equal standing",
        "nobody knows of which networks",
        "one service, of which not all is known",
    ],
)
def test_a_service_is_only_passed_over_if_it_has_been_recovered(claims: list[Says], choices: int) -> None:
    world = deleted_and_applied_again()
    for name in list(world.claims)[len(claims) :]:
        del world.claims[name]
    for name, (network, key, count) in zip(sorted(world.claims), claims, strict=True):
        facts = json.loads(world.annotations[name][RECOVERY_FACTS])
        facts.update(networkUid=network, serviceKey=key, recoveryCount=count)
        world.annotations[name][RECOVERY_FACTS] = json.dumps(facts)
    world.settle()
    assert len(found(world).to_choose_from) == choices


def test_nodes_that_several_claims_name_prove_nothing() -> None:
    """A copy of a volume has its claim's annotation too, and may be older."""
    world = deleted_and_applied_again()
    first, second, third = sorted(world.claims)
    world.annotations[first][RECOVERY_FACTS] = world.annotations[second][RECOVERY_FACTS]
    world.settle()
    world.decide(Action.ADOPT, token(world))
    world.step()
    assert world.status.adopted is not None
    assert list(world.status.adopted.members_of.values()) == [third]
    assert len(world.status.adopted.disks_kept) == 1


def test_volumes_whose_claims_say_nothing_are_read() -> None:
    world = World().running()
    world.kill(*world.living())
    world.settle()
    world.accept()
    world.settle()
    key = world.service.key
    world.delete()
    world.forget_annotations()
    world.create_again()
    world.settle()
    assert {v.service for v in found(world).volumes} == {key}
    assert (world.pods, world.explorers) == ({}, {}), "what has served is removed"
    world.decide(Action.ADOPT, token(world))
    world.settle()
    attempt = world.attempt
    assert attempt.base_recovery_count == 1
    assert attempt.phase is AttemptPhase.AWAITING_APPROVAL, "who the members were is not known"


def test_a_volume_that_shows_nothing_is_read_once_and_can_be_disowned() -> None:
    world = World()
    world.settle()
    world.delete()
    world.create_again()
    world.settle()
    read = set(world.explorers)
    assert len(read) == len(world.claims)
    assert all("shows no ledger" in v.shows for v in found(world).volumes)
    for _ in range(5):
        world.step()
    assert set(world.explorers) == read
    world.decide(Action.DISOWN, token(world))
    world.settle()
    assert world.explorers == {}


def test_no_token_is_shown_until_every_volume_is_read_or_given_up() -> None:
    world = World().running()
    world.delete()
    world.forget_annotations()
    dark = world.machines[world.claims[min(world.claims)].machine or ""]
    dark.cut = True
    world.create_again()
    world.settle()
    assert [volume.being_read for volume in found(world).volumes] == [True, False, False]
    assert found(world).token is None
    assert "2 of 3 volumes" in world.status.next_step
    decision = world.decide(Action.ADOPT, "found-early")
    world.settle()
    assert world.answer(decision) == "Refused"
    assert "wait" in world.answered[decision][0][1]

    world.now += UNPLACED
    world.settle()
    assert "no machine" in found(world).volumes[0].shows
    assert token(world) in world.status.next_step

    dark.cut = False
    world.settle()
    assert found(world).volumes[0].service is not None, "what is read after all is heard"


def test_nothing_is_read_while_a_node_may_still_write() -> None:
    world = World().running()
    world.forget_annotations()
    world.silence(*world.living()[1:])
    world.lose_status()
    before = set(world.pods)
    world.settle()
    assert (set(world.pods), world.explorers) == (before, {})
    assert all("not read while" in v.shows for v in found(world).volumes)


def test_a_ledger_from_elsewhere_is_recovered_from_its_certificate_alone_and_always_needs_approval() -> None:
    world = deleted_and_applied_again()
    for name in world.claims:
        facts = json.loads(world.annotations[name][RECOVERY_FACTS])
        short = {"serviceCertificate": facts["serviceCertificate"], "serviceKey": facts["serviceKey"]}
        world.annotations[name][RECOVERY_FACTS] = json.dumps(short)
    world.settle()
    world.decide(Action.ADOPT, token(world))
    world.settle()
    attempt = world.attempt
    assert attempt.phase is AttemptPhase.AWAITING_APPROVAL
    assert any("not known which nodes" in loss for loss in attempt.possible_loss)


def outdated(world: World) -> World:
    """Recovered once and written to; all have ended, and the status from before was put back."""
    world.running()
    before = world.status
    world.kill(*world.living())
    world.settle()
    world.accept()
    world.settle()
    world.write(5)
    world.settle()
    world.kill(*world.living())
    world.history.put_back_this(before)
    world.settle()
    return world


def test_where_the_status_is_older_the_newest_service_on_the_volumes_is_adopted() -> None:
    world = outdated(World())
    committed = world.services[-1].commit
    assert world.status.reason == "StatusOutdated"
    assert max(volume.recovery_count or 0 for volume in found(world).volumes) == 1
    decision = world.decide(Action.ADOPT, token(world))
    world.settle()
    assert world.answer(decision) == "Applied"
    attempt = world.attempt
    assert attempt.base_recovery_count == 1
    assert attempt.phase is AttemptPhase.AWAITING_APPROVAL, "nobody knows how those nodes ended"
    world.decide(Action.APPROVE, attempt.token)
    world.settle()
    assert world.attempt.winner is not None
    assert TxID.parse(world.attempt.winner.tx_id) >= committed
    world.accept()
    world.settle()
    assert world.phase() is Phase.RUNNING
    assert world.status.outdated is None


def test_a_later_service_that_no_volume_shows_is_told_of_before_an_older_one_is_recovered() -> None:
    world = outdated(World())
    newest = world.services[-1].key
    for name, claim in list(world.claims.items()):
        shows = any(entry.service == newest for gen in claim.generations.values() for entry in gen.entries)
        if shows and len(world.claims) > 1:
            del world.claims[name]
    world.forget_annotations()
    for claim in world.claims.values():
        for number in [n for n in claim.generations if n > 0]:
            del claim.generations[number]
    world.settle()
    assert world.status.reason == "StatusOutdated"
    assert any("clients were told" in one.what for one in (world.status.outdated or pytest.fail("no")).evidence)
    world.decide(Action.ADOPT, token(world))
    world.settle()
    attempt = world.attempt
    assert attempt.phase is AttemptPhase.AWAITING_APPROVAL
    assert any("its ledger is on none of these volumes" in one for one in attempt.possible_loss)
    assert world.status.outdated is None


def test_a_claim_that_is_none_of_this_networks_is_disowned() -> None:
    """Somebody has made one with our labels; once nothing runs a person may say that it is none of ours."""
    world = World().running()
    world.kill(*world.living())
    world.claims["copy"] = Claim("uid-copy", UID, machine="m0")
    world.settle()
    assert world.status.reason == "StatusOutdated"
    world.decide(Action.DISOWN, token(world))
    world.settle()
    assert world.status.outdated is None
    assert world.status.attempt is not None
    assert "copy" in world.claims
