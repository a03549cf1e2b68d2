"""Nodes that run and do not answer: when people are told, and what."""

from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.status import NetworkStatus, NodeRecord, SilenceCause
from ccf_operator.ccf.answers import NoAnswer, NodeAnswers
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.nodes import keep_records
from ccf_operator.domain.observation import ContainerView, PodView
from ccf_operator.domain.silence import TOLD_AFTER, in_words, in_words_together, is_told, told
from unit.domain.given import answers, at, draft, ended_container, machine, pending, pod, record, status

AGE = TOLD_AFTER.total_seconds()
TIMED_OUT = NodeAnswers(silence=NoAnswer(SilenceCause.TIMED_OUT, "connection timed out"))
NOT_YET = NodeAnswers(problem="it has been asked, and has not answered yet")
MUTE = NodeAnswers(reached=True, node_id="ab" * 32, silence=NoAnswer(SilenceCause.NO_REPLY, "connected, then nothing"))


def look(of: NetworkStatus, said: NodeAnswers | None, after: float, **seen: Any) -> Draft:
    work = draft(of, after=after, answers={} if said is None else {"a": said}, **seen)
    keep_records(work)
    return work


def one(work: Draft) -> NodeRecord:
    return work.status.nodes[0]


def test_one_that_was_heard_before_is_told_of_half_a_minute_after_its_first_silence() -> None:
    first = look(status(record("a")), TIMED_OUT, 100)
    assert one(first).silence is not None
    assert one(first).note is None
    later = look(first.status, TIMED_OUT, 100 + AGE)
    assert is_told(later, one(later))
    assert one(later).note == "a runs and does not answer at 10.0.0.1:8443 (connection timed out)"
    assert told(later, later.status.nodes) == [one(later)]
    heard = look(later.status, answers("a"), 101 + AGE)
    assert (one(heard).silence, one(heard).note) == (None, None)
    again = look(heard.status, TIMED_OUT, 102 + AGE)
    assert not is_told(again, one(again)), "each silence counts by itself"


def test_of_one_that_was_never_heard_nothing_is_written_while_it_starts() -> None:
    of = status(record("a", node_id=None))
    assert one(look(of, TIMED_OUT, AGE - 1)).silence is None
    found = look(of, TIMED_OUT, AGE)
    silence = one(found).silence
    assert silence is not None
    assert silence.since == at(0), "since its container runs"
    assert is_told(found, one(found))


def test_an_operator_that_has_just_started_says_nothing_before_it_knows_why() -> None:
    of = status(record("a", node_id=None))
    found = look(of, NOT_YET, 10 * AGE)
    assert not is_told(found, one(found))
    found = look(found.status, TIMED_OUT, 10 * AGE + 2)
    assert is_told(found, one(found))
    kept = look(found.status, NOT_YET, 10 * AGE + 3)
    assert one(kept).silence == one(found).silence, "the last cause stands while it is asked again"


@pytest.mark.parametrize(
    ("said", "silent"),
    [
        (TIMED_OUT, True),
        (NOT_YET, True),
        (MUTE, True),
        (None, False),
        (pending("a"), False),
        (answers("a"), False),
        (NodeAnswers(impostor=True, problem="it is another"), False),
        (NodeAnswers(reached=True, node_id="ab" * 32, problem="/node/state: status 500"), False),
    ],
    ids=["no way", "not yet", "mute", "not asked", "joiner", "member", "impostor", "it answers errors"],
)
def test_who_is_silent(said: NodeAnswers | None, silent: bool) -> None:
    assert (one(look(status(record("a")), said, 100)).silence is not None) == silent


@pytest.mark.parametrize(
    "seen",
    [
        pod("a", ccf=ContainerView()),
        pod("a", ccf=ended_container()),
        pod("a", ip=None),
        pod("a", uid="another"),
    ],
    ids=["not started", "ended", "no address", "another pod of its name"],
)
def test_only_one_that_runs_is_silent(seen: PodView) -> None:
    silent = look(status(record("a")), TIMED_OUT, 100)
    assert one(look(silent.status, TIMED_OUT, 200, pods={"a": seen})).silence is None


@pytest.mark.parametrize(
    ("machines", "ready"),
    [({"m1": machine()}, True), ({"m1": machine(ready=False)}, False), (None, None)],
)
def test_whether_its_machine_is_ready_is_noted(machines: Any, ready: bool | None) -> None:
    silence = one(look(status(record("a")), TIMED_OUT, 100, machines=machines)).silence
    assert silence is not None
    assert silence.machine_ready is ready


def test_a_cause_of_another_address_is_not_kept() -> None:
    first = look(status(record("a")), TIMED_OUT, 100)
    moved = look(first.status, NOT_YET, 140, pods={"a": pod("a", ip="fd00::7")})
    silence = one(moved).silence
    assert silence is not None
    assert (silence.address, silence.cause) == ("[fd00::7]:8443", None)


def test_of_many_the_first_are_named_and_the_others_counted() -> None:
    of = status(*(record(n) for n in "abcde"))
    refused = NodeAnswers(silence=NoAnswer(SilenceCause.REFUSED, "connection refused"))
    for after in (100, 100 + AGE):
        work = draft(of, after=after, answers={**dict.fromkeys("acde", TIMED_OUT), "b": refused})
        keep_records(work)
        of = work.status
    assert in_words_together(told(work, of.nodes)) == (
        "a runs and does not answer at 10.0.0.1:8443 (connection timed out); "
        "b runs and does not answer at 10.0.0.1:8443 (connection refused); "
        "c runs and does not answer at 10.0.0.1:8443 (connection timed out); 2 more do not answer"
    )
    assert in_words(of.nodes[1]) == "b runs and does not answer at 10.0.0.1:8443 (connection refused)"
    assert in_words_together([]) == ""
