"""Effects that were refused: what is known of them, and when each is tried again.

In memory only: another operator finds out for itself. The pauses grow, and end at once when the cause has changed: what
the effect is made of, the object it is about, or that another effect of its kind is done again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace

from ccf_operator.api.status import ObstacleSource
from ccf_operator.ccf.client import RemoveRefused
from ccf_operator.domain.effects import (
    AcknowledgeState,
    AnnotateVolume,
    AnswerDecision,
    ApplyTrustedBudget,
    CreateNode,
    CreateVolume,
    DeleteConfigMap,
    DeletePod,
    Effect,
    ExploreVolume,
    LabelPod,
    Propose,
    ReclaimVolume,
    ReleasePod,
    RemoveNodeRow,
    Report,
    TakeOver,
    Withdraw,
)
from ccf_operator.domain.observation import Observation, Refusal
from ccf_operator.kube.errors import KubeError
from ccf_operator.kube.refusal_reasons import reason_of

FIRST, LONGEST, URGENT = 1.0, 30.0, 5.0
"""Seconds until the next try: after the first, at most, and at most while an attempt to recover is under way."""

FIRST_OF_PASSING = 0.25
"""Seconds until the third try of what may pass; the second is made at once."""


@dataclass
class _Refused:
    refusal: Refusal
    made_of: object
    tries: int
    due: float


@dataclass
class Refusals:
    """What stands refused of one network's effects. `clock` gives seconds that never go back."""

    clock: Callable[[], float] = time.monotonic
    _standing: dict[Hashable, _Refused] = field(default_factory=dict)

    @property
    def standing(self) -> tuple[Refusal, ...]:
        """All that was refused at its last try and is still asked for."""
        return tuple(one.refusal for one in self._standing.values())

    def keep(self, effects: Iterable[Effect]) -> None:
        """Forget what is not asked for any more."""
        wanted = {_key(effect) for effect in effects if not _has_its_own_pace(effect)}
        self._standing = {key: one for key, one in self._standing.items() if key in wanted}

    def is_due(self, effect: Effect, made_of: object) -> bool:
        """Whether an effect is to be tried now; `made_of` is what it depends on."""
        known = None if _has_its_own_pace(effect) else self._standing.get(_key(effect))
        return known is None or known.made_of != made_of or self.clock() >= known.due

    def refuse(self, refusal: Refusal, made_of: object, *, urgent: bool) -> None:
        """Note that an effect was refused just now."""
        if _has_its_own_pace(refusal.effect):
            return
        key = _key(refusal.effect)
        known = self._standing.get(key)
        tries = known.tries + 1 if known is not None and known.made_of == made_of else 1
        if known is not None:
            refusal = replace(refusal, since=known.refusal.since)
        longest = URGENT if urgent else LONGEST
        pause = min(_pause(tries, passing=refusal.passing), longest)
        self._standing[key] = _Refused(refusal, made_of, tries, self.clock() + pause)

    def forget(self, effect: Effect) -> None:
        """Note that an effect is not refused (any more)."""
        if not _has_its_own_pace(effect):
            self._standing.pop(_key(effect), None)

    def done(self, effect: Effect) -> None:
        """Note that an effect has changed something: others of its kind may, too, and are tried at once."""
        self.forget(effect)
        for other in self._standing.values():
            if type(other.refusal.effect) is type(effect):
                other.due = self.clock()

    def next_due(self) -> float | None:
        """Seconds until the next try; None where nothing is refused."""
        now = self.clock()
        return min((max(0.0, one.due - now) for one in self._standing.values()), default=None)


def _pause(tries: int, *, passing: bool) -> float:
    if not passing:
        return FIRST * 2.0 ** min(tries - 1, 10)
    return FIRST_OF_PASSING * 2.0 ** min(tries - 2, 10) if tries > 1 else 0.0


def _has_its_own_pace(effect: Effect) -> bool:
    """Events, and what a member signs, are asked for again by rules of their own."""
    return isinstance(effect, Report | AcknowledgeState | Propose | Withdraw)


def _key(effect: Effect) -> Hashable:
    """What stays the same of an effect where what it writes changes."""
    match effect:
        case LabelPod(pod, uid):
            return LabelPod, pod, uid
        case AnnotateVolume(volume, uid):
            return AnnotateVolume, volume, uid
        case AnswerDecision(_, uid):
            return AnswerDecision, uid
        case ApplyTrustedBudget():
            return ApplyTrustedBudget
    return effect


def made_of(effect: Effect, seen: Observation) -> object:
    """What an effect depends on, as far as it may change: with something else in it a refused one is tried at once."""
    attempt = seen.status.attempt.number if seen.status.attempt is not None else None
    return effect, seen.generation, seen.inputs, attempt, _about(effect, seen)


def _about(effect: Effect, seen: Observation) -> object:
    match effect:
        case CreateNode(node=pod) | DeletePod(pod=pod) | ReleasePod(pod=pod) | LabelPod(pod=pod):
            return seen.pods.get(pod)
        case (
            CreateVolume(volume=volume)
            | ReclaimVolume(volume=volume)
            | AnnotateVolume(volume=volume)
            | ExploreVolume(volume=volume)
        ):
            return seen.claims.get(volume)
    return None


def refusal(effect: Effect, error: Exception, seen: Observation, *, passing: bool) -> Refusal:
    """What is to be known of an effect that failed with this error."""
    about = error.about if isinstance(error, KubeError) else None
    source, reason = _whose(error)
    return Refusal(effect, source, about or _object(effect, seen.name), reason, str(error), seen.now, passing)


def _whose(error: Exception) -> tuple[ObstacleSource, str]:
    if isinstance(error, KubeError):
        return ObstacleSource.API_SERVER, reason_of(error)
    if isinstance(error, RemoveRefused):
        return ObstacleSource.CCF, "Refused"
    return ObstacleSource.API_SERVER, "NotRenderable"


def _object(effect: Effect, network: str) -> str:
    """What an effect is about, as `Kind name`."""
    match effect:
        case CreateVolume(name) | ReclaimVolume(name) | AnnotateVolume(name) | ExploreVolume(name):
            return f"PersistentVolumeClaim {name}"
        case CreateNode(name) | DeletePod(name) | ReleasePod(name) | LabelPod(name) | RemoveNodeRow(name):
            return f"Pod {name}"
        case DeleteConfigMap(name):
            return f"ConfigMap {name}"
        case TakeOver(kind, name):
            return f"{kind} {name}"
        case AnswerDecision(name):
            return f"CCFRecoveryDecision {name}"
    return f"CCFNetwork {network}"
