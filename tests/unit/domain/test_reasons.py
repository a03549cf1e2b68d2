from __future__ import annotations

import itertools

from ccf_operator.api.status import Phase
from ccf_operator.domain.awaiting import Awaited
from ccf_operator.domain.joining import DOUBTED
from ccf_operator.domain.reasons import MEANINGS, Health, Reason, known


def test_every_reason_has_one_meaning_in_each_of_its_phases() -> None:
    places = [(phase, meaning.reason) for meaning in MEANINGS for phase in meaning.phases]
    assert len(places) == len(set(places))
    assert {reason for _, reason in places} == set(Reason)
    assert {phase for phase, _ in places} == set(Phase)


def test_what_attempts_and_members_wait_for_are_reasons() -> None:
    assert {awaited.value for awaited in Awaited} <= {reason.value for reason in Reason}
    assert Reason.LOSS_DOUBTED.value == DOUBTED


def test_only_a_serving_network_needs_no_advice() -> None:
    assert [m.reason for m in MEANINGS if not m.do] == [m.reason for m in MEANINGS if m.health is Health.SERVES]


def test_blocked_is_a_persons_and_a_persons_alone() -> None:
    assert {m.health for m in MEANINGS if Phase.BLOCKED in m.phases} == {Health.PERSON}


def test_a_reason_is_one_camel_case_word() -> None:
    assert all(reason.value.isalpha() and reason.value[0].isupper() for reason in Reason)


def test_no_text_breaks_the_table() -> None:
    assert not [text for text in itertools.chain(*((m.means, m.do) for m in MEANINGS)) if set("|\n") & set(text)]


def test_what_is_not_known_stays_what_it_may_be() -> None:
    assert known("Joining", Reason.RUNNING) is Reason.JOINING
    assert known("SomethingNew", Reason.RUNNING) is Reason.RUNNING
