"""The checks bite: an engine that breaks a rule is caught, rule by rule (DESIGN §3).

Most rules are the decisions', and a story of the simulation shows the breach. What is held by how objects are rendered,
by `stage` and by the connections to nodes is shown by the tests of these.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from inspect import iscoroutine, signature
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, get_args

import pytest

from ccf_operator.api.status import CandidateResult, Command, Ended, EndEvidence, HighWaterMark
from ccf_operator.ccf.identity import node_id
from ccf_operator.ccf.proven_connection import PeerIdentity
from ccf_operator.domain import (
    attempts,
    candidates,
    choice,
    effects,
    ends,
    fencing,
    joiners,
    joining,
    quorum,
    recovery,
    tokens,
)
from ccf_operator.domain.candidates import Judgement
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.quorum import Loss
from ccf_operator.domain.service import ServiceView
from ccf_operator.domain.txid import TxID, recovered_tx_id
from ccf_operator.render import ccf_config, pod, volume_objects
from unit.ccf import test_client, test_proven_connection
from unit.domain import (
    test_certificates,
    test_edited,
    test_joiners,
    test_joining,
    test_nodes,
    test_outdated,
    test_recovery,
    test_refused,
    test_starting,
    test_suspects,
    test_unstarted,
)
from unit.render import test_ccf_config, test_pod, test_volume_objects
from unit.simulation import stories
from unit.simulation.invariants import rules_checked
from unit.stage import test_staging, test_writers

PACKAGE = "ccf_operator"
NOT_RAISED = pytest.fail.Exception
"""What a test fails with that expects an exception."""


@dataclass(frozen=True)
class Mutation:
    """An operator with `target` (below its package) replaced breaks `rule`, in the way `how` says; `shown_by` fails."""

    rule: int
    how: str
    target: str
    by: Any
    shown_by: Callable[..., Any]

    def __str__(self) -> str:
        return f"rule {self.rule}: {self.how}"

    def apply(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replace the target, also where the test has imported it by name."""
        function = self.shown_by.func if isinstance(self.shown_by, partial) else self.shown_by
        original = resolve_name(f"{PACKAGE}.{self.target}")
        monkeypatch.setattr(f"{PACKAGE}.{self.target}", self.by)
        for name, value in list(function.__globals__.items()):
            if value is original:
                monkeypatch.setitem(function.__globals__, name, self.by)

    async def show(self, tmp_path: Path) -> None:
        """Tell the story, or run the test."""
        arguments = {"tmp_path": tmp_path} if "tmp_path" in signature(self.shown_by).parameters else {}
        done = self.shown_by(**arguments)
        if iscoroutine(done):
            await done


def _holds_nothing(_seen: Any, _pod: Any) -> None:
    return None


def _unready_has_ended(record: Any, pod: Any, machines: Any, now: Any, watched_since: Any) -> Ended | None:
    found = machines.get(record.machine.name) if record.machine is not None else None
    if found is not None and not found.ready:
        return Ended(evidence=EndEvidence.CONTAINER_TERMINATED, at=now)
    return ends.proof_of_nodes_end(record, pod, machines, now, watched_since)


def _silence_is_loss(possible: Any, ended: Any, testimonies: Any) -> Loss:
    return Loss(True, "nobody answers") if not list(testimonies) else quorum.judge_loss(possible, ended, [])


def _unknown_to_any_primary(_answers: Any, record: Any, view: ServiceView) -> bool:
    return view.leader is not None and record.node_id not in {row.node_id for row in view.leader.nodes}


def _winner_is_chosen_again(draft: Draft, attempt: Any, winner: Any, base: Any, loss: Any) -> Any:
    attempt.winner = None
    return joining.recovering_view(draft, attempt, winner)


def _no_record(_self: Draft, _volume: str) -> Iterator[Any]:
    return iter(())


def _same_generation(self: Draft, volume: Any, *args: Any, **kwargs: Any) -> Any:
    record = _plan_node(self, volume, *args, **kwargs)
    record.generation = min(record.generation, 1)  # a lowered counter alone is raised again
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


def _one_after_the_other(draft: Draft, attempt: Any, view: Any, loss: Any) -> None:
    waiting = [c for c in attempt.candidates if c.result is None]
    others, attempt.candidates = attempt.candidates, waiting[:1] if waiting else attempt.candidates
    _fence(draft, attempt, view, loss)
    attempt.candidates = others


_fence = fencing.fence


def _judging(**believed: Any) -> Any:
    """A judge of candidates that takes some of what a node says for what it should be."""

    def judge(attempt: Any, answers: Any, report: Any) -> Judgement | None:
        network = answers.network
        if "count" in believed:
            network = replace(network, recovery_count=attempt.base_recovery_count + 1)
        key = attempt.base_service if "previous" in believed else answers.previous_identity_key
        return _judge_recovered(attempt, replace(answers, network=network, previous_identity_key=key), report)

    return judge


_judge_recovered = candidates._judge_recovered


def _without_need(draft: Draft, attempt: Any, winner: Any, view: Any, base: Any, loss: Any) -> Any:
    return _go_on(draft, attempt, winner, view, base, Loss(True, ""))


_go_on = joining._go_on


def _old_certificate(draft: Draft, count: int, target: Any, certificate: str, attempt: int | None) -> None:
    _plan_joiners(draft, count, target, draft.status.service.certificate or "", attempt)


_plan_joiners = joiners.plan_joiners


def _feeds_the_next(draft: Draft, attempt: Any, why: str) -> None:
    for candidate in attempt.candidates:
        volume = draft.status.volume(candidate.volume)
        if volume is not None and candidate.generation is not None:
            volume.lineage = [*candidate.lineage, candidate.generation]
    _supersede(draft, attempt, why)


_supersede = attempts.supersede


def _always_anew(draft: Draft, loss: Loss) -> bool:
    return loss.proven and draft.status.service.opened_at is not None and draft.status.paused is None


def _takes_word_for_proof(draft: Draft, loss: Loss) -> bool:
    return draft.status.attempt is None and (_may_begin(draft, loss) or draft.status.start is not None)


_may_begin = recovery.may_begin


def _one_token(uid: str, attempt: Any, choice: Any) -> str:
    return f"{tokens.attempt_token(uid, attempt)}-any"


def _every_joiner_is_new(draft: Draft, record: Any) -> None:
    answers = draft.seen.answers.get(record.name)
    if answers is not None and answers.node_id is not None:
        record.node_id = answers.node_id


def _writable(order: Any) -> dict[str, Any]:
    container = _ccf(order)
    for mount in container["volumeMounts"]:
        mount["readOnly"] = False
    return container


_ccf = pod._ccf


def _linked(source: Path, target: Path) -> None:
    source.rename(target)


def _unclaimed(volume: Path, plan: Any) -> Path:
    directory = volume / f"gen-{plan.generation}"
    directory.mkdir(exist_ok=True)
    return directory


def _owned(*args: Any) -> dict[str, Any]:
    manifest = _claim(*args)
    manifest["metadata"]["ownerReferences"] = [{"kind": "CCFNetwork"}]
    return manifest


_claim = volume_objects.claim


def _with_snapshots(order: Any) -> str:
    config = json.loads(_config_json(order))
    config["command"].get("join", {})["fetch_recent_snapshot"] = True
    return json.dumps(config)


_config_json = ccf_config.config_json


def _admits_anybody(self: PeerIdentity, certificate: bytes | None) -> None:
    self.proven = node_id(certificate or b"")


def _is_never_admitted_twice(self: PeerIdentity, expected: str | None) -> None:
    _trusts_first(self, None)


_trusts_first = PeerIdentity.__init__


RULES = range(1, 19)

MUTATIONS = (
    Mutation(1, "attempts begin anew", "domain.recovery.may_begin", _always_anew, stories.a_candidate_hangs),
    Mutation(
        1,
        "a choice is made twice",
        "domain.recovery.conduct_joining",
        _winner_is_chosen_again,
        stories.a_majority_is_killed,
    ),
    Mutation(
        1,
        "a status is the newest there is",
        "domain.decide.keep_outdated",
        lambda _draft: None,
        stories.an_old_status_is_put_back_when_all_have_ended,
    ),
    Mutation(
        1,
        "what runs and is on no record is ended",
        "domain.outdated._runs",
        lambda _draft, _pod: False,
        test_outdated.test_nothing_that_runs_is_ended_for_want_of_a_record,
    ),
    Mutation(
        1,
        "a node whose record was taken out is let go",
        "domain.outdated._wrote_of_the_ledger",
        lambda _draft, _pod: None,
        partial(
            test_outdated.test_nothing_is_decided_from_a_status_that_is_older,
            what="a pod that has ended and wrote the ledger on record",
        ),
    ),
    Mutation(
        1,
        "an old status is decided from",
        "domain.decisions._refuse_what_is_decided_from_an_old_status",
        lambda _draft, _decision: None,
        stories.an_old_status_is_put_back_when_all_have_ended,
    ),
    Mutation(
        1,
        "older facts take the place of newer ones",
        "domain.facts._is_older",
        lambda _draft, _facts, _known: False,
        test_outdated.test_a_network_that_is_deleted_writes_nothing_older_on_its_way,
    ),
    Mutation(
        1,
        "`stage` claims what it is told to",
        "stage.generations.refuse_what_is_outdated",
        lambda _volume, _plan: None,
        partial(
            test_staging.test_a_plan_that_is_older_than_the_volume_is_refused,
            claimed={"generation": 3},
            planned={"generation": 1},
        ),
    ),
    Mutation(
        2,
        "a record that says so ends a node",
        "domain.decide.take_back_stops",
        lambda _draft, _view: None,
        partial(test_edited.test_no_node_of_a_service_is_ended_because_its_record_says_so, heard=False),
    ),
    Mutation(
        2,
        "a record that says so is proof of an end",
        "domain.decide.take_back_ends",
        lambda _draft: None,
        test_edited.test_a_node_said_to_have_ended_that_serves_is_neither_released_nor_replaced,
    ),
    Mutation(
        9,
        "a mark is right because it is on record",
        "domain.edited.SETTLED",
        timedelta(days=1),
        partial(test_edited.test_a_mark_that_nobody_has_reached_is_taken_back, seen_at=-60, tx_id="999.1"),
    ),
    Mutation(
        2,
        "a person's word is proof",
        "domain.recovery.may_begin",
        _takes_word_for_proof,
        stories.a_drill_that_is_cut_off,
    ),
    Mutation(
        2,
        "a person's word is good for every recovery",
        "domain.starting.recovery_token",
        lambda *_of_what: "start",
        test_starting.test_a_token_that_was_used_is_not_good_again_although_it_was_called_off,
    ),
    Mutation(
        2, "NotReady is proof", "domain.nodes.proof_of_nodes_end", _unready_has_ended, stories.kubelets_are_cut_off
    ),
    Mutation(
        2,
        "a rejection is proof of the end of a node that has run",
        "domain.ends.has_run",
        _no,
        partial(test_suspects.test_a_majority_that_was_rejected_is_suspected_and_nothing_is_begun_nor_ended, 60),
    ),
    Mutation(
        2,
        "a joiner that may have started is let go where nobody leads",
        "domain.unstarted.may_have_started",
        _no,
        partial(
            test_unstarted.test_one_that_may_have_started_is_left_alone,
            fields={"pods": {"j": test_unstarted.RUNS_UNHEARD}},
        ),
    ),
    Mutation(
        2,
        "who runs and is slow is not heard",
        "domain.recovery.may_yet_testify",
        _no,
        test_recovery.test_an_attempt_begins_only_when_who_runs_has_had_its_full_time_to_contradict,
    ),
    Mutation(
        3,
        "stage looks once",
        "stage.writers.refuse_what_lives",
        _never,
        partial(test_writers.test_a_ledger_that_changes_between_two_looks_has_a_writer, change="grows", generation=0),
    ),
    Mutation(2, "silence is proof", "domain.verdict.judge_loss", _silence_is_loss, stories.everybody_is_silent),
    Mutation(
        2,
        "that the operator reaches nobody is proof",
        "domain.verdict.judge_loss",
        _silence_is_loss,
        stories.the_operator_is_cut_off,
    ),
    Mutation(
        2,
        "an operator that is cut off has nodes ended",
        "domain.story.is_isolated",
        _no,
        stories.the_operator_is_cut_off,
    ),
    Mutation(
        2,
        "a loss is not proven again",
        "domain.joining._go_on",
        _without_need,
        test_joining.test_nothing_goes_on_while_the_loss_is_doubted,
    ),
    Mutation(
        2,
        "who is not known to a primary that may yet be rolled back is taken for stranded",
        "domain.stranded._is_stranded",
        _unknown_to_any_primary,
        stories.the_others_elect_one_that_commits_nothing,
    ),
    Mutation(
        2,
        "what was to be fenced goes although the quorum is back",
        "domain.recovery.spare",
        _never,
        stories.a_service_comes_back_before_anything_was_fenced,
    ),
    Mutation(
        3,
        "a candidate is made beside a node that has returned",
        "domain.nodes._would_read_beside_a_writer",
        _no,
        stories.a_node_comes_back_before_its_volumes_candidate_was_made,
    ),
    Mutation(
        3,
        "a candidate is made beside a node that is said to be gone and whose pod is held",
        "domain.nodes._may_return",
        _no,
        partial(
            test_refused.test_no_candidate_starts_beside_a_node_that_is_only_said_to_be_gone_until_its_pod_is_let_go,
            held=True,
        ),
    ),
    Mutation(
        5,
        "a candidate whose pod is refused is called late",
        "domain.recovery._refusal",
        lambda *_of_whom: None,
        test_refused.test_a_candidate_whose_pod_is_refused_is_never_late_and_says_who_refuses_it,
    ),
    Mutation(3, "nobody is fenced", "domain.draft.Draft.on_volume", _no_record, stories.a_majority_is_killed),
    Mutation(
        3,
        "who cannot be fenced is waited for",
        "domain.fencing._is_hopeless",
        _no,
        stories.a_survivor_that_is_needed_cannot_be_fenced,
    ),
    Mutation(
        4,
        "a generation is given twice",
        "domain.draft.Draft.plan_node",
        _same_generation,
        stories.one_is_recovered_twice,
    ),
    Mutation(
        4,
        "CCF may write to old generations",
        "render.pod._ccf",
        _writable,
        partial(test_pod.test_old_generations_cannot_be_written_by_ccf, Command.RECOVER),
    ),
    Mutation(
        4,
        "stage moves what it should copy",
        "stage.generations.copy_file",
        _linked,
        partial(
            test_staging.test_a_candidate_gets_the_tail_and_the_old_generation_stays_as_it_was, fixture="damaged/intact"
        ),
    ),
    Mutation(
        5, "a candidate that hangs is waited for", "domain.candidates._judge_time", _never, stories.a_candidate_hangs
    ),
    Mutation(
        5,
        "a candidate that never starts is waited for",
        "domain.recovery.has_waited_too_long",
        _no,
        stories.pods_of_a_recovery_never_become,
    ),
    Mutation(
        5,
        "a first node that never starts is waited for",
        "domain.topology.has_waited_too_long",
        _no,
        stories.the_first_nodes_never_become,
    ),
    Mutation(
        5,
        "what never started is not made anew from a corrected spec",
        "domain.correcting.is_outdated",
        _no,
        stories.a_corrected_spec_is_taken_up_by_what_never_started,
    ),
    Mutation(
        2,
        "a joiner that may have started is let go for the time it waits",
        "domain.joiners.may_have_started",
        _no,
        test_joiners.test_one_whose_process_has_been_seen_is_waited_for_in_whatever_state_its_pod_is,
    ),
    Mutation(
        5,
        "candidates start one after the other",
        "domain.recovery.fence",
        _one_after_the_other,
        stories.a_majority_is_killed,
    ),
    Mutation(
        6,
        "whatever answers has recovered",
        "domain.candidates._judge_recovered",
        _believe,
        stories.a_volume_is_of_an_earlier_service,
    ),
    Mutation(
        6,
        "any count of recoveries is good",
        "domain.candidates._judge_recovered",
        _judging(count=True),
        stories.it_counts_another_recovery,
    ),
    Mutation(
        6,
        "any service may have been before",
        "domain.candidates._judge_recovered",
        _judging(previous=True),
        stories.it_names_another_service_before_it,
    ),
    Mutation(
        6,
        "the survey does not count",
        "domain.candidates._shortfall",
        _never,
        stories.it_claims_more_than_its_ledger_holds,
    ),
    Mutation(
        6, "damage does not count", "domain.candidates._shortfall", _never, stories.damage_hides_what_was_committed
    ),
    Mutation(7, "by seqno alone", "domain.choice.recovered", _by_seqno, stories.a_primary_appends_in_vain),
    Mutation(8, "any one will do", "domain.choice._shortage", _nothing, stories.only_the_one_that_lags_is_left),
    Mutation(
        8,
        "later configurations do not count",
        "domain.choice._sound_surveys",
        _nothing,
        stories.the_configuration_grew_unseen,
    ),
    Mutation(
        8, "the mark does not count", "domain.choice._below_the_mark", _nothing, stories.the_ends_of_all_disks_are_lost
    ),
    Mutation(
        8,
        "every disk keeps what it was given",
        "domain.recovery.doubt_about_disk",
        _never,
        stories.the_ends_of_all_disks_are_lost_unseen,
    ),
    Mutation(
        8,
        "a boot in between is not noticed",
        "domain.ends._same_boot",
        _yes,
        stories.the_ends_of_all_disks_are_lost_and_nobody_says_so,
    ),
    Mutation(8, "forks are not told", "domain.choice._forks", _nothing, stories.a_primary_appends_in_vain),
    Mutation(
        8,
        "an approval is good for more than was shown",
        "domain.recovery.choice_token",
        _one_token,
        stories.an_approval_is_of_what_was_shown,
    ),
    Mutation(
        9,
        "anybody's commit is a mark",
        "domain.decide.keep_high_water_mark",
        _anybodys_mark,
        stories.a_majority_is_killed,
    ),
    Mutation(
        10,
        "the choice is made again",
        "domain.recovery.conduct_joining",
        _winner_is_chosen_again,
        stories.a_majority_is_killed,
    ),
    Mutation(
        10,
        "two open services are not told",
        "domain.joining.ask_which_goes_on",
        _never,
        stories.there_are_two_services,
    ),
    Mutation(10, "losers stay", "domain.joining.losers", lambda *_: [], stories.a_majority_is_killed),
    Mutation(
        11,
        "a joiner writes where somebody has written",
        "domain.draft.Draft.plan_node",
        _same_generation,
        stories.a_majority_is_killed,
    ),
    Mutation(
        11,
        "stage takes any directory",
        "stage.generations.claim",
        _unclaimed,
        test_staging.test_a_generation_with_content_and_no_manifest_is_refused,
    ),
    Mutation(
        11,
        "joiners get the certificate of the lost service",
        "domain.joining.plan_joiners",
        _old_certificate,
        stories.all_have_joined_when_members_are_asked,
    ),
    Mutation(11, "who lags has joined", "domain.joiners.has_caught_up", _yes, stories.a_joiner_lags_behind),
    Mutation(
        11,
        "joiners come while the private ledger is read",
        "domain.joining.service_status",
        lambda _view: "Recovering",
        stories.a_joiner_dies_while_the_ledger_is_read,
    ),
    Mutation(
        12,
        "who says it is open is believed",
        "domain.service.ServiceView.is_open",
        _says_open,
        stories.an_opening_is_seen_before_it_commits,
    ),
    Mutation(
        13,
        "the winner is all of the network",
        "domain.joining.judge_recovering_loss",
        _winner_is_all,
        stories.the_winner_dies_among_its_joiners,
    ),
    Mutation(
        13,
        "the dead end is waited in",
        "domain.joining._is_in_the_dead_end",
        _no,
        stories.an_opening_is_seen_before_it_commits,
    ),
    Mutation(
        14,
        "an opened service is forgotten",
        "domain.attempts.leave_unsettled",
        _never,
        stories.opened_and_lost_while_nobody_looked,
    ),
    Mutation(
        14,
        "one that was opened unasked is not looked for",
        "domain.attempts.leave_doubtful",
        _never,
        stories.members_open_it_unasked_and_it_is_lost,
    ),
    Mutation(
        14,
        "a failed attempt feeds the next",
        "domain.attempts.supersede",
        _feeds_the_next,
        stories.the_winner_dies_before_anybody_was_asked,
    ),
    Mutation(15, "members are given a day", "domain.joining._give_up", _patient_for_a_day, stories.members_are_slow),
    Mutation(
        15,
        "certificates run out unseen",
        "domain.conditions.expiring",
        lambda _draft: (),
        partial(test_certificates.test_the_condition, 1, "True", "RunOutSoon"),
    ),
    Mutation(
        16,
        "claims go with the network",
        "render.volume_objects.claim",
        _owned,
        test_volume_objects.test_nothing_takes_the_ledger_with_it,
    ),
    Mutation(
        16,
        "pods are let go, whatever goes along",
        "domain.nodes.holds",
        _holds_nothing,
        stories.pods_are_deleted_that_hold_ledgers,
    ),
    Mutation(
        16,
        "a volume counts as kept that is not",
        "domain.releasing._will_stay",
        lambda *_: True,
        stories.every_claim_is_deleted_in_use_and_two_nodes_die,
    ),
    Mutation(
        16,
        "any claim of the name is used",
        "domain.reclaiming._why_not",
        lambda *_: None,
        stories.a_claim_of_the_name_with_nothing_of_ours_is_put_in_place,
    ),
    Mutation(17, "a lineage is its end", "domain.attempts.succeed", _only_its_own, stories.one_is_recovered_twice),
    Mutation(
        17,
        "joiners take snapshots",
        "render.ccf_config.config_json",
        _with_snapshots,
        test_ccf_config.test_a_joiner_takes_no_snapshot_and_is_noticed_before_the_primary_misses_it,
    ),
    Mutation(
        18,
        "whoever answers is the node",
        "ccf.proven_connection.PeerIdentity.admit",
        _admits_anybody,
        test_client.test_an_impostor_is_sent_nothing,
    ),
    Mutation(
        18,
        "every contact is the first",
        "ccf.proven_connection.PeerIdentity.__init__",
        _is_never_admitted_twice,
        test_client.test_an_impostor_is_sent_nothing,
    ),
    Mutation(
        18,
        "a node may become another",
        "domain.nodes._note_identity",
        _every_joiner_is_new,
        test_nodes.test_the_node_id_is_that_of_the_first_contact,
    ),
    Mutation(
        18,
        "any service may endorse a node",
        "ccf.proven_connection.endorsed_by",
        _yes,
        test_proven_connection.test_the_right_node_endorsed_by_another_service_of_the_same_name_is_not,
    ),
)


def test_every_rule_is_broken_at_least_once_and_checked() -> None:
    assert {mutation.rule for mutation in MUTATIONS} == set(RULES)


def test_every_rule_of_decisions_is_checked_in_every_history() -> None:
    """Rule 3 is checked by the model of Kubernetes, when a candidate starts."""
    assert rules_checked() | {3} == set(RULES)


def test_there_is_no_way_to_delete_a_volume() -> None:
    """Rule 16: of all that the operator may do to the world, nothing takes a claim away."""
    destroying = {kind.__name__ for kind in get_args(effects.Effect) if kind.__name__.startswith(("Delete", "Remove"))}
    assert destroying == {"DeletePod", "DeleteConfigMap", "RemoveNodeRow", "RemoveFinalizer", "RemoveRecoveryBudget"}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
async def test_a_broken_rule_is_caught(mutation: Mutation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "as it is").mkdir()
    (tmp_path / "broken").mkdir()
    await mutation.show(tmp_path / "as it is")
    mutation.apply(monkeypatch)
    with pytest.raises((AssertionError, NOT_RAISED)):
        await mutation.show(tmp_path / "broken")
