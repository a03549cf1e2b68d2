from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from ccf_operator.api.status import ObstacleSource
from ccf_operator.ccf.client import RemoveRefused
from ccf_operator.domain.effects import (
    AcknowledgeState,
    ApplyTrustedBudget,
    CreateNode,
    CreateVolume,
    Effect,
    LabelPod,
    RemoveNodeRow,
    Report,
)
from ccf_operator.domain.observation import Observation
from ccf_operator.kube.errors import Conflict, Forbidden, KubeError
from ccf_operator.reconcile.refusals import LONGEST, URGENT, Refusals, made_of, refusal
from ccf_operator.render.order import NotRenderable
from unit.domain import given

MAKE, LABEL = CreateNode("a"), LabelPod("a", "uid-a", (("traffic", "true"),))
NO = Forbidden("no", status=403)


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def looked(**fields: object) -> Observation:
    return replace(given.observation(given.status(given.record("a"), given.record("b"))), **fields)  # type: ignore[arg-type]


SEEN = looked()


def refuse(
    refusals: Refusals, effect: Effect, *, passing: bool = False, urgent: bool = False, seen: Observation = SEEN
) -> None:
    refusals.refuse(refusal(effect, NO, seen, passing=passing), made_of(effect, seen), urgent=urgent)


def pauses(
    refusals: Refusals, clock: Clock, *, passing: bool = False, urgent: bool = False, tries: int = 8
) -> list[float]:
    """Seconds until each next try."""
    found = []
    for _ in range(tries):
        refuse(refusals, MAKE, passing=passing, urgent=urgent)
        pause = refusals.next_due()
        assert pause is not None
        found.append(pause)
        clock.now += pause
        assert refusals.is_due(MAKE, made_of(MAKE, SEEN))
    return found


@pytest.mark.parametrize(
    ("passing", "urgent", "expected"),
    [
        (False, False, [1, 2, 4, 8, 16, LONGEST, LONGEST, LONGEST]),
        (False, True, [1, 2, 4, URGENT, URGENT, URGENT, URGENT, URGENT]),
        (True, False, [0, 0.25, 0.5, 1, 2, 4, 8, 16]),
    ],
    ids=["refused", "refused during an attempt", "may pass"],
)
def test_what_was_refused_is_tried_again_with_growing_pauses(
    passing: bool, urgent: bool, expected: list[float]
) -> None:
    clock = Clock()
    assert pauses(Refusals(clock), clock, passing=passing, urgent=urgent) == expected


def test_before_its_time_it_is_not_tried() -> None:
    clock = Clock()
    refusals = Refusals(clock)
    refuse(refusals, MAKE)
    clock.now = 0.9
    assert not refusals.is_due(MAKE, made_of(MAKE, SEEN))
    assert refusals.is_due(CreateNode("b"), made_of(CreateNode("b"), SEEN))


@pytest.mark.parametrize(
    ("effect", "changed"),
    [
        (MAKE, {"generation": 2}),
        (MAKE, {"inputs": given.inputs("a file is missing")}),
        (MAKE, {"pods": {"a": given.pod("a", labels={"x": "y"})}}),
        (MAKE, {"status": given.status(attempt=given.attempt())}),
        (CreateVolume("v-a"), {"claims": {"v-a": given.claim("v-a", version="7")}}),
    ],
    ids=["the spec", "what the spec refers to", "its pod", "an attempt begins", "its claim"],
)
def test_it_is_tried_at_once_where_the_cause_may_be_gone(effect: Effect, changed: dict[str, object]) -> None:
    clock = Clock()
    refusals = Refusals(clock)
    for _ in range(5):
        refuse(refusals, effect)
    assert not refusals.is_due(effect, made_of(effect, looked()))
    assert refusals.is_due(effect, made_of(effect, looked(**changed)))
    refuse(refusals, effect, seen=looked(**changed))
    assert refusals.next_due() == 1.0


def test_what_an_effect_writes_is_a_cause_too() -> None:
    refusals = Refusals(Clock())
    refuse(refusals, LABEL)
    other = replace(LABEL, labels=(("traffic", None),))
    assert not refusals.is_due(LABEL, made_of(LABEL, SEEN))
    assert refusals.is_due(other, made_of(other, SEEN))
    refuse(refusals, other)
    assert [one.effect for one in refusals.standing] == [other]


def test_others_of_its_kind_are_tried_at_once_when_one_is_done() -> None:
    refusals = Refusals(Clock())
    for effect in (MAKE, CreateNode("b"), LABEL):
        refuse(refusals, effect)
    refusals.done(MAKE)
    assert [one.effect for one in refusals.standing] == [CreateNode("b"), LABEL]
    assert refusals.is_due(CreateNode("b"), made_of(CreateNode("b"), SEEN))
    assert not refusals.is_due(LABEL, made_of(LABEL, SEEN))


def test_one_that_changed_nothing_says_nothing_about_the_others() -> None:
    refusals = Refusals(Clock())
    for effect in (MAKE, CreateNode("b")):
        refuse(refusals, effect)
    refusals.forget(MAKE)
    assert not refusals.is_due(CreateNode("b"), made_of(CreateNode("b"), SEEN))


def test_what_is_not_asked_for_any_more_is_forgotten() -> None:
    refusals = Refusals(Clock())
    refuse(refusals, MAKE)
    refuse(refusals, ApplyTrustedBudget(1))
    refusals.keep([ApplyTrustedBudget(2)])
    assert [one.effect for one in refusals.standing] == [ApplyTrustedBudget(1)]
    refusals.keep([])
    assert refusals.standing == ()
    assert refusals.next_due() is None


def test_it_is_known_since_when_and_why_now() -> None:
    refusals = Refusals(Clock())
    refuse(refusals, MAKE)
    later = looked(now=given.at(60))
    refusals.refuse(refusal(MAKE, Conflict("taken", status=409), later, passing=True), None, urgent=False)
    assert [(one.since, one.reason) for one in refusals.standing] == [(given.START, "Conflict")]


@pytest.mark.parametrize(
    "effect", [Report("Lost", "", given.START), AcknowledgeState("a", "0e", "token")], ids=["an event", "a signature"]
)
def test_what_has_a_pace_of_its_own_is_left_alone(effect: Effect) -> None:
    refusals = Refusals(Clock())
    refuse(refusals, effect)
    refusals.keep([effect])
    refusals.done(effect)
    assert refusals.standing == ()
    assert refusals.is_due(effect, made_of(effect, SEEN))


def about(kind: str) -> KubeError:
    error = Forbidden("no", status=403)
    error.about = kind
    return error


@pytest.mark.parametrize(
    ("effect", "error", "expected"),
    [
        (MAKE, NO, (ObstacleSource.API_SERVER, "Pod a", "Forbidden")),
        (MAKE, about("ConfigMap a"), (ObstacleSource.API_SERVER, "ConfigMap a", "Forbidden")),
        (CreateVolume("v"), NO, (ObstacleSource.API_SERVER, "PersistentVolumeClaim v", "Forbidden")),
        (MAKE, NotRenderable("nothing to start from"), (ObstacleSource.API_SERVER, "Pod a", "NotRenderable")),
        (RemoveNodeRow("a", "0e"), RemoveRefused("no"), (ObstacleSource.CCF, "Pod a", "Refused")),
        (ApplyTrustedBudget(1), NO, (ObstacleSource.API_SERVER, "CCFNetwork bank", "Forbidden")),
    ],
)
def test_who_has_refused_what(effect: Effect, error: Exception, expected: tuple[ObstacleSource, str, str]) -> None:
    found = refusal(effect, error, SEEN, passing=False)
    assert (found.source, found.about, found.reason) == expected
