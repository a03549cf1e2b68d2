"""The checks bite: an engine that breaks a rule is caught, rule by rule (DESIGN §3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, get_args

import pytest

from ccf_operator.api.status import CandidateResult, Ended, EndEvidence, HighWaterMark
from ccf_operator.domain import attempts, choice, effects, ends, joining, quorum
from ccf_operator.domain.candidates import Judgement
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.quorum import Loss
from ccf_operator.domain.service import ServiceView
from ccf_operator.domain.txid import TxID, recovered_tx_id
from unit.simulation import stories
from unit.simulation.stories import Story

DOMAIN = "ccf_operator.domain"


@dataclass(frozen=True)
class Mutation:
    """An engine with `target` replaced breaks `rule`; `story` shows it."""

    rule: str
    target: str
    by: Any
    story: Story

    def __str__(self) -> str:
        return f"rule {self.rule}: {self.target} in {self.story.__name__}"


def _unready_has_ended(machine: Any, pod: Any, machines: Any, now: Any) -> Ended | None:
    found = machines.get(machine.name) if machine is not None else None
    if found is not None and not found.ready:
        return Ended(evidence=EndEvidence.CONTAINER_TERMINATED, at=now)
    return ends.proof_of_end(machine, pod, machines, now)


def _silence_is_loss(possible: Any, ended: Any, testimonies: Any) -> Loss:
    return Loss(True, "nobody answers") if not list(testimonies) else quorum.judge_loss(possible, ended, [])


def _winner_is_chosen_again(draft: Draft, attempt: Any, winner: Any, base: Any, loss: Any) -> Any:
    attempt.winner = None
    return joining.recovering_view(draft, attempt, winner)


def _no_record(_self: Draft, _volume: str) -> Iterator[Any]:
    return iter(())


def _same_generation(self: Draft, volume: Any, *args: Any, **kwargs: Any) -> Any:
    record = _plan_node(self, volume, *args, **kwargs)
    volume.next_generation = 1
    return record


_plan_node = Draft.plan_node


def _believe(attempt: Any, answers: Any, report: Any) -> Judgement | None:
    network = answers.network
    return Judgement(
        CandidateResult.RECOVERED,
        tx_id=recovered_tx_id(network.create_tx_id),
        create_tx_id=network.create_tx_id,
        service_certificate=network.service_certificate,
        service_key=network.service_key,
    )


def _by_seqno(found: Any) -> list[Any]:
    return sorted(_recovered(found), key=lambda c: -TxID.parse(c.tx_id or "0.0").seqno)


_recovered = choice.recovered


def _anybodys_mark(draft: Draft, view: ServiceView) -> None:
    commits = [a.commit for a in draft.seen.answers.values() if a.commit is not None]
    key = draft.status.service.public_key
    if commits and key is not None:
        draft.status.high_water_mark = HighWaterMark(tx_id=str(max(commits)), service=key, seen_at=draft.now)


def _says_open(self: ServiceView) -> bool:
    return any(a.network is not None and a.network.service_status == "Open" for a in self.members.values())


def _winner_is_all(draft: Draft, attempt: Any, winner: Any, view: Any) -> Loss:
    record = draft.status.node(winner.node)
    return Loss(record is not None and record.ended is not None, "the winner has ended")


def _patient_for_a_day(draft: Draft, attempt: Any, winner: Any, view: Any) -> bool:
    since = attempt.timeline.chosen_at or draft.now
    if draft.now - since > timedelta(days=1):
        attempts.supersede(draft, attempt, "the members did not come")
    return draft.status.attempt is not attempt


def _only_its_own(draft: Draft, attempt: Any, winner: Any) -> None:
    number = attempt.number
    _succeed(draft, attempt, winner)
    volume = draft.status.volume(winner.volume)
    if volume is not None and number:
        volume.lineage = volume.lineage[-1:]


_succeed = attempts.succeed


def _never(*_args: Any, **_kwargs: Any) -> Any:
    return None


def _nothing(*_args: Any, **_kwargs: Any) -> Any:
    return iter(())


def _no(*_args: Any, **_kwargs: Any) -> bool:
    return False


def _yes(*_args: Any, **_kwargs: Any) -> bool:
    return True


MUTATIONS = (
    Mutation(
        "1, 10: the winner is written once",
        "recovery.conduct_joining",
        _winner_is_chosen_again,
        stories.a_majority_is_killed,
    ),
    Mutation(
        "1: what is decided is told",
        "decide.still_pending",
        lambda *_: [],
        stories.every_other_operator_dies_of_its_first_effect,
    ),
    Mutation("2: NotReady proves nothing", "nodes.proof_of_end", _unready_has_ended, stories.kubelets_are_cut_off),
    Mutation("2: silence proves nothing", "verdict.judge_loss", _silence_is_loss, stories.everybody_is_silent),
    Mutation("3: fencing", "draft.Draft.on_volume", _no_record, stories.a_majority_is_killed),
    Mutation(
        "4: generations are written once", "draft.Draft.plan_node", _same_generation, stories.one_is_recovered_twice
    ),
    Mutation("5: a candidate that hangs", "candidates._judge_time", _never, stories.a_candidate_hangs),
    Mutation("6: another service", "candidates._judge_recovered", _believe, stories.a_volume_is_of_an_earlier_service),
    Mutation("6: damage", "candidates._judge_recovered", _believe, stories.damage_hides_what_was_committed),
    Mutation("7: view first", "choice.recovered", _by_seqno, stories.a_primary_appends_in_vain),
    Mutation("8: coverage", "choice._shortage", _nothing, stories.only_the_one_that_lags_is_left),
    Mutation("8: the mark", "choice._below_the_mark", _nothing, stories.the_ends_of_all_disks_are_lost),
    Mutation("8: disks", "recovery.disk_is_proof", _yes, stories.the_ends_of_all_disks_are_lost_unseen),
    Mutation(
        "9: the mark is of the open service",
        "decide.keep_high_water_mark",
        _anybodys_mark,
        stories.a_majority_is_killed,
    ),
    Mutation("10: one offer", "joining.losers", lambda *_: [], stories.a_majority_is_killed),
    Mutation(
        "12: open on a quorum", "service.ServiceView.is_open", _says_open, stories.an_opening_is_seen_before_it_commits
    ),
    Mutation(
        "13: a network of its own",
        "joining.judge_recovering_loss",
        _winner_is_all,
        stories.the_winner_dies_among_its_joiners,
    ),
    Mutation("13: the dead end", "joining._is_in_the_dead_end", _no, stories.an_opening_is_seen_before_it_commits),
    Mutation(
        "14: an opened one feeds the next",
        "attempts.leave_unsettled",
        _never,
        stories.opened_and_lost_while_nobody_looked,
    ),
    Mutation("15: members are waited for", "joining._give_up", _patient_for_a_day, stories.members_are_slow),
    Mutation("17: lineage", "attempts.succeed", _only_its_own, stories.one_is_recovered_twice),
)


def test_there_is_no_way_to_delete_a_volume() -> None:
    """Rule 16: of all that the operator may do to the world, nothing takes a claim away."""
    destroying = {kind.__name__ for kind in get_args(effects.Effect) if kind.__name__.startswith(("Delete", "Remove"))}
    assert destroying == {"DeletePod", "DeleteConfigMap", "RemoveNodeRow", "RemoveFinalizer"}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_a_broken_rule_is_caught(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation.story()  # the engine as it is
    monkeypatch.setattr(f"{DOMAIN}.{mutation.target}", mutation.by)
    with pytest.raises(AssertionError):
        mutation.story()
