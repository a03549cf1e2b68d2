from __future__ import annotations

from dataclasses import replace

import pytest

from ccf_operator.api.decision import Action
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.ccf.identity import key_fingerprint
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.service import Check, Finding, Knowledge, check, expected_service
from ccf_operator.domain.txid import TxID
from members import generate_operator_member
from unit.cli import phases
from unit.cli.phases import Scene, scene
from unit.domain.world import digest


def winner_of(seen: Scene) -> str:
    attempt = seen.network.status.attempt
    assert attempt is not None
    assert attempt.winner is not None
    return attempt.winner.node


def bad(seen: Scene, node: str, **live: NodeAnswers) -> list[str]:
    answers = {**seen.live, **live}
    found = check(seen.network, expected_service(seen.network), node, answers)
    return [one.what for one in found if one.finding is Finding.BAD]


def doubts(found: list[Check]) -> list[str]:
    return [one.what for one in found if one.finding is Finding.DOUBT]


def test_a_fresh_service_and_a_recovered_one_are_found_to_be_the_operators() -> None:
    fresh = scene(phases.awaiting_open())
    assert bad(fresh, next(iter(fresh.live))) == []
    recovered = scene(phases.awaiting_members())
    for node in recovered.live:
        assert bad(recovered, node) == []


def test_nothing_is_offered_before_a_winner_is_chosen_or_a_service_exists() -> None:
    for world in (phases.recovering(), phases.awaiting_approval(), phases.creating()):
        with pytest.raises(Failure) as refused:
            expected_service(scene(world).network)
        assert refused.value.code is Exit.NOT_NOW


def forged(seen: Scene, **network: object) -> NodeAnswers:
    """The winner's answers, changed in what they say of the service."""
    answers = seen.live[winner_of(seen)]
    assert answers.network is not None
    return replace(answers, network=replace(answers.network, **network))  # type: ignore[arg-type]


def test_another_service_on_the_right_node_is_a_fork() -> None:
    seen = scene(phases.awaiting_members())
    node = winner_of(seen)
    found = bad(seen, node, **{node: forged(seen, service_key="f" * 64)})
    assert found == [
        f"its service is another one: key ffffffff…, the operator's has {digest(f'service of {node}')[:8]}…"
    ]


@pytest.mark.parametrize("changed", [{"recovery_count": 7}, {"create_tx_id": None}])
def test_another_recovery_than_the_chosen_one_is_refused(changed: dict[str, object]) -> None:
    seen = scene(phases.awaiting_members())
    node = winner_of(seen)
    assert len(bad(seen, node, **{node: forged(seen, **changed)})) == 1


@pytest.mark.parametrize("key", [None, "e" * 64])
def test_a_service_that_goes_on_from_another_one_is_refused(key: str | None) -> None:
    seen = scene(phases.awaiting_members())
    node = winner_of(seen)
    answers = replace(seen.live[node], previous_identity_key=key)
    [found] = bad(seen, node, **{node: answers})
    assert "goes on from another service" in found


def test_another_node_behind_the_winners_name_is_refused() -> None:
    seen = scene(phases.awaiting_members())
    node = winner_of(seen)
    assert bad(seen, node, **{node: replace(seen.live[node], node_id="d" * 64)})
    assert bad(seen, node, **{node: replace(seen.live[node], impostor=True)})


def test_a_node_that_says_nothing_of_its_service_is_refused() -> None:
    seen = scene(phases.awaiting_members())
    node = winner_of(seen)
    assert bad(seen, node, **{node: replace(seen.live[node], network=None, nodes=())})


def test_unknown_nodes_in_the_offered_service_are_refused() -> None:
    seen = scene(phases.awaiting_members())
    node = winner_of(seen)
    trusted = next(row for row in seen.live[node].nodes if row.status == "Trusted")
    stranger = replace(trusted, node_id="c" * 64)
    [found] = bad(seen, node, **{node: replace(seen.live[node], nodes=(*seen.live[node].nodes, stranger))})
    assert "cccccccc" in found


def test_a_pod_that_nobody_of_ours_made_is_refused_and_doubted_when_it_stands_beside() -> None:
    seen = scene(phases.awaiting_members(), "bank-fork")
    node = winner_of(seen)
    fork = replace(forged(seen, service_key="f" * 64), node_id="b" * 64)
    found = bad(seen, "bank-fork", **{"bank-fork": fork})
    assert "bank-fork is not a node that the operator made" in found
    beside = check(seen.network, expected_service(seen.network), node, {**seen.live, "bank-fork": fork})
    assert doubts(beside) == ["a fork is offered besides: pod bank-fork, service ffffffff…; not the operator's"]
    assert not [one for one in beside if one.finding is Finding.BAD]


def test_members_are_not_asked_while_losers_may_run() -> None:
    seen = scene(phases.awaiting_members())
    assert seen.network.status.attempt is not None
    seen.network.status.attempt.timeline.losers_gone_at = None
    [found] = bad(seen, winner_of(seen))
    assert "two forks" in found


def test_a_node_whose_key_the_operator_does_not_know_yet_is_not_believed() -> None:
    seen = scene(phases.awaiting_members())
    node = winner_of(seen)
    record = seen.network.status.node(node)
    assert record is not None
    record.node_id = None
    found = bad(seen, node)
    assert f"the operator does not know {node}'s key yet" in found


def test_a_pod_put_in_the_place_of_the_operators_is_refused() -> None:
    seen = scene(phases.awaiting_members())
    node = winner_of(seen)
    pods = {**seen.network.pods, node: replace(seen.network.pods[node], uid="another")}
    found = bad(Scene(replace(seen.network, pods=pods), seen.live, seen.now), node)
    assert f"{node} is not a node that the operator made" in found


@pytest.mark.parametrize("lie", ["9.99999", "2.1", "nonsense"])
def test_a_status_that_claims_another_txid_than_its_service_was_made_of_is_refused(lie: str) -> None:
    seen = scene(phases.awaiting_members())
    attempt = seen.network.status.attempt
    assert attempt is not None
    assert attempt.winner is not None
    attempt.winner.tx_id = lie
    [found] = bad(seen, winner_of(seen))
    assert "contradicts itself" in found


def test_a_status_that_names_a_fork_as_the_winner_is_unmasked_by_what_the_member_knows() -> None:
    """Whoever can write the status can offer a ledger of another service; not one of the member's own."""
    seen = scene(phases.awaiting_members())
    node, mine, others = winner_of(seen), generate_operator_member("mine"), generate_operator_member("others")
    key = key_fingerprint(mine.certificate_pem)
    live = {node: replace(seen.live[node], previous_identity_key=key)}
    attempt = seen.network.status.attempt
    assert attempt is not None
    attempt.base_service = key

    def against(known: str) -> list[str]:
        found = check(seen.network, expected_service(seen.network), node, live, Knowledge(known))
        return [one.what for one in found if one.finding is Finding.BAD]

    assert against(mine.certificate_pem) == []
    [found] = against(others.certificate_pem)
    assert "your own file has another service" in found


def test_members_are_shown_what_a_person_has_approved_to_be_missing() -> None:
    world = phases.awaiting_approval()
    assert world.status.attempt is not None
    loss = world.status.attempt.possible_loss
    world.decide(Action.APPROVE, world.status.attempt.token)
    world.settle()
    seen = scene(world)
    node = winner_of(seen)
    found = doubts(check(seen.network, expected_service(seen.network), node, seen.live))
    assert loss
    assert found == [f"a person approved what may be missing: {one}" for one in loss]


@pytest.mark.parametrize(("committed", "all_is_well"), [("2.1204", True), ("2.1205", False), ("3.1", False)])
def test_a_ledger_that_ends_before_what_the_member_knows_of_is_refused(committed: str, all_is_well: bool) -> None:
    seen = scene(phases.awaiting_members())
    node, known = winner_of(seen), Knowledge(tx_id=TxID.parse(committed))
    found = check(seen.network, expected_service(seen.network), node, seen.live, known)
    [about] = [one for one in found if f"{committed}" in one.what and "you know of" in one.what]
    assert about.finding is (Finding.GOOD if all_is_well else Finding.BAD)
    silent = {node: forged(seen, create_tx_id=None)}
    found = check(seen.network, expected_service(seen.network), node, silent, known)
    assert "it was recovered up to nothing only" in " ".join(one.what for one in found)
