"""What is in the way of a network, in the words of the API server, the scheduler, kubelets, CCF and the network.

Whoever sees an obstacle on a look says so (`Draft.obstruct`), a provider of `domain.obstacle_providers` or any step of
the decision; here they are kept in the status and put where people read. What nobody says any more is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime

from ccf_operator.api.status import Obstacle, ObstacleSource
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.obstacle_advice import advice

Provider = Callable[[Draft], None]
"""Looks at an observation and says what is in the way."""

KEPT = 20
"""Obstacles that are kept at most: those that stand for longest say the cause."""

SHOWN = 2
"""Obstacles that are told in a sentence; the others are counted."""

LONGEST_MESSAGE = 400
"""Characters of an obstacle's message."""

_MARK = "In the way: "
"""Where a message stops that would be the same without obstacles."""

_ORDER = list(ObstacleSource)


def collect(draft: Draft, providers: Iterable[Provider]) -> None:
    """Have each provider say what it sees, on a look that begins."""
    _forget_told(draft)
    for provider in providers:
        provider(draft)


def keep_obstacles(draft: Draft) -> None:
    """Write into the status what has been said on this look; what was there before keeps its time."""
    before = {_identity(one): one for one in draft.seen.status.obstacles}
    found: dict[tuple[str, str, str], Obstacle] = {}
    for one in draft.obstacles:
        earlier = before.get(_identity(one))
        found.setdefault(_identity(one), _kept(one, earlier))
    draft.status.obstacles = sorted(found.values(), key=_rank)[:KEPT]


def _kept(one: Obstacle, earlier: Obstacle | None) -> Obstacle:
    since = min(one.since, earlier.since) if earlier is not None else one.since
    return one.model_copy(update={"message": shortened(one.message), "since": since})


def _identity(one: Obstacle) -> tuple[str, str, str]:
    return one.source.value, one.object, one.reason


def _rank(one: Obstacle) -> tuple[int, datetime, str, str]:
    return _ORDER.index(one.source), one.since, one.object, one.reason


def shortened(text: str) -> str:
    """In one line, and not for ever."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_MESSAGE else f"{line[: LONGEST_MESSAGE - 1]}…"


def about(obstacles: Iterable[Obstacle], names: Collection[str]) -> list[Obstacle]:
    """Those about objects of these names."""
    return [one for one in obstacles if one.object.partition(" ")[2] in names]


def in_words(obstacles: Collection[Obstacle]) -> str:
    """What is in the way, in a sentence; empty where nothing is."""
    shown: dict[tuple[str, str, str], list[str]] = {}
    for one in obstacles:
        shown.setdefault((one.source.value, one.reason, one.message), []).append(one.object)
    said = [f"{_objects(them)}: {reason} ({source}): {words}" for (source, reason, words), them in shown.items()]
    more = f"; and {len(said) - SHOWN} more in status.obstacles" if len(said) > SHOWN else ""
    return "; ".join(said[:SHOWN]) + more


def _objects(them: list[str]) -> str:
    return them[0] if len(them) == 1 else f"{them[0]} and {len(them) - 1} more"


def with_obstacles(message: str, obstacles: Collection[Obstacle]) -> str:
    """A message with what is in the way, as far as it does not say so itself; that of a look before is taken off."""
    said = message.partition(_MARK)[0].removesuffix(". ")
    untold = [one for one in obstacles if one.message not in said]
    if not untold:
        return said
    return f"{said}{'. ' if said else ''}{_MARK}{in_words(untold)}"


def tell_attempt(draft: Draft) -> None:
    """Put what is in the way into the attempt's message and into what is said of candidates that have no result."""
    attempt, obstacles = draft.status.attempt, draft.status.obstacles
    if attempt is None:
        return
    attempt.message = with_obstacles(attempt.message, obstacles)
    for candidate in attempt.candidates:
        if candidate.result is None:
            candidate.detail = in_words(about(obstacles, {candidate.volume, candidate.node or ""})) or None


def _forget_told(draft: Draft) -> None:
    """Take what was in the way on the look before off the attempt's message: steps go on with what they said."""
    if draft.status.attempt is not None:
        draft.status.attempt.message = with_obstacles(draft.status.attempt.message, ())


def next_step(own: str, before: Collection[Obstacle], now: Collection[Obstacle], namespace: str) -> str:
    """What a person can do: `own` is the next step known without obstacles, and it goes first.

    One that was but the advice about the obstacles of `before` has served its purpose.
    """
    if own and own != advice(before, namespace):
        return own
    return advice(now, namespace)
