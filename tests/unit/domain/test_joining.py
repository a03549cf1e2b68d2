from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.status import (
    Attempt,
    AttemptPhase,
    AttemptResult,
    AttemptSummary,
    Command,
    Ended,
    EndEvidence,
    JoinFailures,
    NodeRecord,
    Timeline,
)
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.attempts import begin
from ccf_operator.domain.choice import best_of
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.joining import conduct_joining
from ccf_operator.domain.quorum import Loss
from unit.domain.given import (
    NEW,
    OLD,
    answers,
    at,
    attempt,
    config,
    configuration,
    crowned,
    draft,
    end,
    machine,
    node_id,
    pod,
    quorum,
    record,
    recovered,
    spec,
    status,
    view,
    volume,
)

CHOSEN = crowned("r-a", service_certificate=f"PEM {NEW}")


def old(name: str, **fields: Any) -> NodeRecord:
    return record(name, ended=end(), released=True, stop="Fenced", **fields)


def winner(**fields: Any) -> NodeRecord:
    return record("r-a", volume="v-a", generation=1, command=Command.RECOVER, attempt=1, **fields)


def loser(**fields: Any) -> NodeRecord:
    return record("r-b", volume="v-b", generation=1, command=Command.RECOVER, attempt=1, **fields)


def joiner(name: str, **fields: Any) -> NodeRecord:
    known: dict[str, Any] = {"join_target": "r-a", "attempt": 1}
    return record(name, **{**known, **fields})


def running(**fields: Any) -> Attempt:
    known: dict[str, Any] = {
        "winner": CHOSEN,
        "phase": AttemptPhase.JOINING,
        "timeline": Timeline(proven_at=at(0), chosen_at=at(0)),
        "network": configuration("r-a").model_copy(update={"service": NEW}),
    }
    return attempt(recovered("a", "2.20"), recovered("b", "2.20"), **{**known, **fields})


def led(*names: str, status: str = "Recovering", **fields: Any) -> dict[str, NodeAnswers]:
    """The recovering network of these nodes, led by the first."""
    state = "PartOfPublicNetwork" if status == "Recovering" else "PartOfNetwork"
    known: dict[str, Any] = {"key": NEW, "status": status, "state": state, "recovery_count": 1, "created": "4.21"}
    return quorum(*names, **{**known, **fields})


LOST = Loss(True, "")


def look(
    *nodes: NodeRecord, of: Attempt | None = None, after: float = 0, base: Any = None, loss: Loss = LOST, **seen: Any
) -> Draft:
    members = (old("a"), old("b"), old("c"))
    work = draft(
        status(*members, *nodes, configuration=configuration("a", "b", "c"), attempt=of or running()),
        after=after,
        **seen,
    )
    assert work.status.attempt is not None
    conduct_joining(work, work.status.attempt, CHOSEN, base or view(work), loss)
    return work


def current(work: Draft) -> Attempt:
    assert work.status.attempt is not None
    return work.status.attempt


def node(work: Draft, name: str) -> NodeRecord:
    found = work.status.node(name)
    assert found is not None
    return found


def new_joiners(work: Draft) -> list[NodeRecord]:
    return [r for r in work.status.nodes if r.name.startswith("bank-")]


def past(work: Draft) -> AttemptResult:
    assert work.status.attempt is None
    return work.status.history[0].result


# Losers and joiners


def test_losers_go_and_joiners_come_side_by_side() -> None:
    work = look(winner(), loser(), answers=led("r-a"))
    assert node(work, "r-b").stop == "Loser"
    assert sorted((r.volume, r.generation) for r in new_joiners(work)) == [("v-b", 2), ("v-c", 1)]


def test_the_volume_of_a_loser_on_a_silent_machine_is_not_waited_for() -> None:
    down = {"m1": machine(), "m2": machine("m2", ready=False)}
    far = loser(machine=winner().machine and winner().machine.model_copy(update={"name": "m2", "uid": "uid-m2"}))  # type: ignore[union-attr]
    work = look(winner(), far, answers=led("r-a"), machines=down)
    assert node(work, "r-b").stop == "Loser"
    assert [(r.volume, r.generation) for r in new_joiners(work)] == [("v-c", 1)]
    assert {r.service_certificate for r in new_joiners(work)} == {f"PEM {NEW}"}
    assert {r.join_target for r in new_joiners(work)} == {"r-a"}


def test_nothing_goes_on_while_the_loss_is_doubted() -> None:
    # A survivor that comes back with a configuration that could still form a majority.
    doubt = Loss(False, "node s reports a configuration that can still form a majority")
    work = look(winner(), loser(), record("s", volume="v-c"), answers=led("r-a"), loss=doubt)
    assert [node(work, name).stop for name in ("r-a", "r-b", "s")] == [None] * 3
    assert not new_joiners(work)
    assert current(work).reason == "LossDoubted"
    joined = [joiner("j1", joined_at=at(1)), joiner("j2", joined_at=at(1))]
    asked = look(winner(), *joined, answers=led("r-a", "j1", "j2"), loss=doubt)
    assert current(asked).phase is AttemptPhase.JOINING
    again = look(winner(), *joined, answers=led("r-a", "j1", "j2"), of=current(asked))
    assert (current(again).phase, current(again).reason) == (AttemptPhase.AWAITING_MEMBERS, "")


def test_it_is_written_since_when_no_primary_is_seen() -> None:
    work = look(winner(), joiner("j1"), joiner("j2"), answers={}, after=3)
    assert current(work).leaderless_since == at(3)
    assert current(look(winner(), answers={}, of=current(work), after=5)).leaderless_since == at(3)
    assert current(look(winner(), answers=led("r-a"), of=current(work), after=9)).leaderless_since is None


def test_joiners_write_to_generations_that_nobody_wrote() -> None:
    work = look(winner(), loser(ended=end(), released=True), answers=led("r-a"))
    for found in new_joiners(work):
        assert all(
            found.generation != other.generation
            for other in work.status.nodes
            if other.volume == found.volume and other is not found
        )


@pytest.mark.parametrize("status", ["WaitingForRecoveryShares"])
def test_no_joiner_starts_once_the_members_have_accepted(status: str) -> None:
    # CCF facts §0.18: from then on it would be Pending.
    assert not new_joiners(look(winner(), answers=led("r-a", status=status)))


def test_no_joiner_starts_without_a_primary_to_join() -> None:
    assert not new_joiners(look(winner(), answers={}))


def test_members_are_asked_only_when_every_other_candidate_has_provably_ended() -> None:
    joined = [joiner("j1", joined_at=at(1)), joiner("j2", joined_at=at(1))]
    waiting = look(winner(), loser(stop="Loser"), *joined, answers=led("r-a", "j1", "j2"), after=500)
    assert current(waiting).phase is AttemptPhase.JOINING
    asked = look(winner(), loser(stop="Loser", ended=end()), *joined, answers=led("r-a", "j1", "j2"))
    assert current(asked).phase is AttemptPhase.AWAITING_MEMBERS


@pytest.mark.parametrize(
    ("result", "winner_volume", "asked"),
    [
        (AttemptResult.ABANDONED, "v-z", False),
        (AttemptResult.SUPERSEDED, None, False),
        (AttemptResult.SUPERSEDED, "v-other", False),
        (AttemptResult.SUPERSEDED, "v-z", True),
    ],
    ids=["chosen, and ended by a person", "none was chosen", "another was chosen", "chosen, and lost for good"],
)
def test_nor_while_a_candidate_of_an_earlier_attempt_runs_that_they_could_open(
    result: AttemptResult, winner_volume: str | None, asked: bool
) -> None:
    earlier = record("r-z", volume="v-z", command=Command.RECOVER, attempt=1, stop=result.value)
    past = AttemptSummary(number=1, result=result, winner_volume=winner_volume, ended_at=at(-9))
    joined = [joiner(name, attempt=2, joined_at=at(0)) for name in ("j1", "j2")]
    members = (winner().model_copy(update={"attempt": 2}), *joined)
    of = running(number=2)
    work = draft(
        status(*members, earlier, configuration=configuration("a", "b", "c"), attempt=of, history=[past]),
        answers=led("r-a", "j1", "j2"),
    )
    assert work.status.attempt is not None
    conduct_joining(work, work.status.attempt, CHOSEN, view(work), LOST)
    assert (current(work).phase is AttemptPhase.AWAITING_MEMBERS) is asked


def test_they_are_not_asked_while_the_recovering_network_has_no_primary() -> None:
    joined = [joiner("j1", joined_at=at(1)), joiner("j2", joined_at=at(1))]
    assert current(look(winner(), *joined, answers={}, after=500)).phase is AttemptPhase.JOINING


def test_a_joiner_counts_when_it_has_caught_up() -> None:
    lagging = led("r-a", "j1", "j2", commit="4.500")
    work = look(winner(), joiner("j1"), joiner("j2"), answers=lagging)
    assert node(work, "j1").joined_at is None
    assert current(work).phase is AttemptPhase.JOINING
    work = look(winner(), joiner("j1"), joiner("j2"), answers=led("r-a", "j1", "j2"))
    assert node(work, "j1").joined_at is not None
    assert current(work).phase is AttemptPhase.AWAITING_MEMBERS


def test_a_joiner_that_hangs_keeps_the_members_waiting_no_longer_than_its_deadline() -> None:
    nodes = [winner(), joiner("j1", joined_at=at(1)), joiner("j2")]
    said = led("r-a", "j1")
    assert current(look(*nodes, answers=said, after=599)).phase is AttemptPhase.JOINING
    assert current(look(*nodes, answers=said, after=601)).phase is AttemptPhase.AWAITING_MEMBERS


def test_one_that_does_not_start_a_minute() -> None:
    nodes = [winner(), joiner("j1", joined_at=at(1)), joiner("j2")]
    pods = {"r-a": pod("r-a"), "j1": pod("j1"), "j2": pod("j2", ccf=pod("x").stage)}
    assert current(look(*nodes, answers=led("r-a", "j1"), pods=pods, after=59)).phase is AttemptPhase.JOINING
    assert current(look(*nodes, answers=led("r-a", "j1"), pods=pods, after=61)).phase is AttemptPhase.AWAITING_MEMBERS


def test_a_joiner_that_died_is_replaced_and_later_each_time() -> None:
    dead = joiner("j1", ended=end(after=100))
    first = look(winner(), dead, joiner("j2"), answers=led("r-a", "j2"), after=100)
    assert node(first, "j1").stop is not None
    assert not new_joiners(first)
    assert first.status.join_failures is not None
    assert first.status.join_failures.count == 1
    second = draft(first.status, answers=led("r-a", "j2"), after=106)
    conduct_joining(second, current(second), CHOSEN, view(second), LOST)
    assert len(new_joiners(second)) == 1
    second.status.join_failures = JoinFailures(count=6, last_at=at(100))
    third = draft(first.status.model_copy(update={"join_failures": second.status.join_failures}), after=200)
    conduct_joining(third, current(third), CHOSEN, view(third), LOST)
    assert not new_joiners(third)


def test_nodes_of_the_old_service_that_are_left_go() -> None:
    assert node(look(winner(), record("s", volume="v-c"), answers=led("r-a")), "s").stop is not None


def test_fewer_nodes_wanted_in_the_middle_means_fewer_joiners() -> None:
    assert not new_joiners(look(winner(), answers=led("r-a"), spec=spec(nodes=1)))


# Ends of the recovering network


def test_the_death_of_the_winner_alone_before_the_members_were_asked_starts_anew() -> None:
    work = look(winner(ended=end()))
    assert past(work) is AttemptResult.SUPERSEDED
    assert work.status.unsettled is None


def test_the_death_of_the_winner_among_its_joiners_is_no_loss() -> None:
    network = configuration("r-a", "j1", "j2").model_copy(update={"service": NEW})
    work = look(winner(ended=end()), joiner("j1"), joiner("j2"), of=running(network=network), answers={})
    assert current(work).number == 1


@pytest.mark.parametrize(
    "of",
    [
        running(timeline=Timeline(chosen_at=at(-100))),
        running(phase=AttemptPhase.AWAITING_MEMBERS),
        running(timeline=Timeline(chosen_at=at(0), accepted_at=at(5))),
    ],
    ids=["the operator was away for long", "the members were asked", "they had accepted it"],
)
def test_a_network_that_may_have_opened_unseen_is_not_simply_given_up(of: Attempt) -> None:
    # Clients may have written to it: what it committed must not be lost for an operator that was away.
    work = look(winner(ended=end()), joiner("j1", ended=end()), of=of)
    assert past(work) is AttemptResult.SUPERSEDED
    unsettled = work.status.unsettled
    assert unsettled is not None
    assert (unsettled.attempt, unsettled.public_key, unsettled.recovery_count) == (1, NEW, 1)
    assert unsettled.lineages == {"v-a": [0, 1], "v-j1": [0]}
    assert unsettled.members_of == {node_id("r-a"): "v-a", node_id("j1"): "v-j1"}


def test_a_ledger_that_does_not_decrypt_is_told_and_its_equal_is_taken_next() -> None:
    # CCF facts §4.6: damage in the private part may show only once the shares are there.
    aborted = end().model_copy(
        update={"exit_code": 134, "message": "Private recovery did not reach public ledger seqno"}
    )
    asked = running(phase=AttemptPhase.AWAITING_MEMBERS, timeline=Timeline(chosen_at=at(0), accepted_at=at(5)))
    work = look(winner(ended=aborted), joiner("j1", ended=end()), of=asked)
    said = work.status.history[0].message
    assert "r-a on v-a: CCF gave up with exit code 134: Private recovery did not reach" in said
    assert "j1" not in said, "it was killed"
    work.status.unsettled = None
    following = begin(work)
    assert following.tried == ["v-a"]
    following.candidates = [recovered("a", "2.20"), recovered("b", "2.20"), recovered("c", "2.18")]
    chosen = best_of(following)
    assert chosen is not None
    assert chosen.volume == "v-b"
    following.tried = ["v-a", "v-b"]
    again = best_of(following)
    assert again is not None
    assert again.volume == "v-a", "never one that has less"


def test_a_winner_that_waits_for_a_dead_joiner_for_ever_is_given_up() -> None:
    # CCF facts §0.9: a node trusted and dead on a one-node service kills it for good.
    stuck = answers(
        "r-a",
        configs=[config("r-a"), config("r-a", "j1", seqno=30)],
        key=NEW,
        status="Recovering",
        state="PartOfPublicNetwork",
    )
    work = look(winner(), joiner("j1", ended=end()), answers={"r-a": stuck})
    assert past(work) is AttemptResult.SUPERSEDED
    assert work.status.unsettled is None, "whoever leads it last says that it has not been opened"
    silent = look(winner(), joiner("j1", ended=end()), answers={})
    assert silent.status.attempt is not None


def dead_end(work: Attempt | None = None, after: float = 0, **fields: Any) -> Draft:
    """Two joiners after the winner died between private recovery and the commit of the opening (CCF facts §8.8)."""
    network = configuration("r-a", "j1", "j2").model_copy(update={"service": NEW})
    known: dict[str, Any] = {"status": "WaitingForRecoveryShares", "view": 5, "commit": "5.40"}
    said = led("j1", "j2", members=("r-a", "j1", "j2"), **{**known, **fields})
    of = work or running(network=network, phase=AttemptPhase.AWAITING_MEMBERS)
    return look(winner(ended=end()), joiner("j1"), joiner("j2"), of=of, answers=said, after=after)


def test_the_state_that_ccf_cannot_leave_is_left_by_a_new_attempt() -> None:
    work = dead_end(after=0)
    assert current(work).stuck_since == at(0)
    work = dead_end(current(work), after=11)
    assert past(work) is AttemptResult.SUPERSEDED
    assert work.status.unsettled is None, "its primary says that it has not been opened"
    assert node(work, "j1").stop is not None


@pytest.mark.parametrize(
    "other",
    [{"state": "PartOfPublicNetwork"}, {"state": "ReadingPrivateLedger"}, {"commit": "4.40"}, {"status": "Opening"}],
    ids=["shares can be submitted again", "it is being read", "nothing committed since the election", "it opens"],
)
def test_states_that_only_look_like_it_are_waited_out(other: dict[str, Any]) -> None:
    assert current(dead_end(**other)).stuck_since is None


def test_looks_at_two_primaries_do_not_add_up_to_a_dead_end() -> None:
    # The second may have become so only now, and open the service the next moment.
    work = dead_end(after=0)
    work = dead_end(current(work), after=11, view=7, commit="7.44")
    assert current(work).stuck_since == at(11)
    assert past(dead_end(current(work), after=22, view=7, commit="7.45")) is AttemptResult.SUPERSEDED


def test_a_dead_end_is_told_with_what_proves_it() -> None:
    work = dead_end(current(dead_end(after=0)), after=11, commit="5.43")
    assert "5.40 to 5.43" in work.status.history[0].message


def test_a_state_that_passes_is_no_dead_end() -> None:
    work = dead_end(after=0)
    work = dead_end(current(work), after=5, state="ReadingPrivateLedger")
    assert current(work).stuck_since is None


# Success


def test_open_is_success_and_the_recovered_service_is_the_service() -> None:
    nodes = [winner(joined_at=at(1)), joiner("j1", joined_at=at(1)), joiner("j2", stop="NotJoined")]
    work = look(*nodes, answers=led("r-a", "j1", status="Open", commit="4.50"), after=9)
    assert past(work) is AttemptResult.SUCCEEDED
    service = work.status.service
    assert (service.public_key, service.recovery_count, service.create_tx_id) == (NEW, 1, "4.21")
    assert service.previous_certificate == f"PEM {OLD}"
    assert work.status.configuration is not None
    assert set(work.status.configuration.nodes) == {node_id("r-a"), node_id("j1")}
    assert [r.attempt for r in work.status.nodes if r.name in ("r-a", "j1", "j2")] == [None, None, 1]
    won = work.status.volume("v-a")
    assert won is not None
    assert (won.lineage, won.service) == ([0, 1], NEW)
    assert work.status.high_water_mark is not None
    assert (work.status.high_water_mark.tx_id, work.status.high_water_mark.service) == ("4.50", NEW)


def renewed(said: dict[str, NodeAnswers]) -> dict[str, NodeAnswers]:
    """The same, after the members have renewed the service certificate."""
    found = {}
    for name, one in said.items():
        assert one.network is not None
        found[name] = replace(one, network=replace(one.network, service_certificate="PEM renewed"))
    return found


def test_a_certificate_that_was_renewed_meanwhile_is_what_joiners_are_given() -> None:
    # CCF facts §8.8: with the expired one they abort.
    work = look(winner(), answers=renewed(led("r-a")))
    assert {r.service_certificate for r in new_joiners(work)} == {"PEM renewed"}


def test_and_what_clients_are_given_once_it_is_open() -> None:
    nodes = [winner(joined_at=at(1)), joiner("j1", joined_at=at(1))]
    work = look(*nodes, answers=renewed(led("r-a", "j1", status="Open")))
    assert work.status.service.certificate == "PEM renewed"
    assert work.status.service.previous_certificate == f"PEM {OLD}"


def test_members_that_open_it_before_all_have_joined_have_opened_it() -> None:
    # A loser that has not ended cannot be opened any more; and what commits from now on must not be lost again.
    work = look(winner(), loser(stop="Loser"), answers=led("r-a", status="Open"))
    assert past(work) is AttemptResult.SUCCEEDED
    assert node(work, "r-b").stop == "Loser"


def test_one_node_that_says_so_does_not_make_it_open() -> None:
    said = led("r-a", "j1", "j2", status="Open", ready_app=False)
    nodes = [winner(), joiner("j1", joined_at=at(1)), joiner("j2", joined_at=at(1))]
    assert look(*nodes, answers=said).status.attempt is not None


def test_the_old_quorum_back_before_the_members_accepted_abandons_it_all() -> None:
    # Only a wrong word about machines can lead here.
    survivors = [record("s", volume="v-s"), record("t", volume="v-t")]
    said = {**led("r-a"), **quorum("s", "t")}
    probe = draft(status(*survivors, winner(), attempt=running()), answers=said)
    work = look(winner(), *survivors, answers=said, base=view(probe))
    assert past(work) is AttemptResult.ABANDONED
    assert node(work, "r-a").stop is not None
    assert node(work, "s").stop is None


@pytest.mark.parametrize(("since", "abandoned"), [(30, True), (90, False)])
def test_what_is_silent_is_not_abandoned_once_members_had_the_time_to_open_it(since: int, abandoned: bool) -> None:
    survivors = [record("s", volume="v-s"), record("t", volume="v-t")]
    said = quorum("s", "t")
    probe = draft(status(*survivors, winner(), attempt=running()), answers=said)
    chosen = running(timeline=Timeline(proven_at=at(-since), chosen_at=at(-since)))
    work = look(winner(), *survivors, of=chosen, answers=said, base=view(probe), loss=Loss(False, "it is back"))
    assert (work.status.attempt is None) is abandoned
    assert (node(work, "r-a").stop is not None) is abandoned


def test_the_machine_of_the_winner_lost_is_its_end() -> None:
    gone: Ended = end(EndEvidence.OUT_OF_SERVICE)
    assert past(look(winner(ended=gone))) is AttemptResult.SUPERSEDED
    assert volume("v-a").lineage == [0]
