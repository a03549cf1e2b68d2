"""When each step of a recovery was done, as the API server showed it: by the same rules whoever did it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ccf_operator.kube.views import CCF, container_view
from ccf_operator.render import labels
from e2e.bench.recorder import Seen


class Moment(StrEnum):
    """The steps, in the order of the script. Times are in seconds after the last process was killed."""

    PROOF = "loss proven"
    FENCED = "volumes fenced"
    FIRST_CANDIDATE = "first candidate created"
    CANDIDATES = "candidates created"
    RECOVERED = "candidates recovered"
    LOSERS_GONE = "losers gone"
    JOINED = "joiners caught up"
    ASKED = "members asked"
    OPEN = "open"


@dataclass(frozen=True)
class Cast:
    """Who is who, by name of pod."""

    killed: frozenset[str]
    old: frozenset[str]
    winner: str


def shown(events: Sequence[Seen], cast: Cast) -> dict[Moment, float]:
    """The moments that pods alone show; times as in the events."""
    candidates = list(dict.fromkeys(seen.name for seen in events if _is_candidate(seen)))
    created = [first_where(events, lambda seen, name=name: seen.name == name) for name in candidates]  # type: ignore[misc]
    known = [at for at in created if at is not None]
    found = {
        Moment.PROOF: all_ended(events, cast.killed),
        Moment.FENCED: all_ended(events, cast.old),
        Moment.FIRST_CANDIDATE: min(known, default=None),
        Moment.CANDIDATES: max(known, default=None),
        Moment.LOSERS_GONE: all_ended(events, set(candidates) - {cast.winner}),
    }
    return {moment: at for moment, at in found.items() if at is not None}


def all_ended(events: Sequence[Seen], pods: Collection[str]) -> float | None:
    """When the last of the pods was shown to have ended, or gone; None if not all were, or there are none."""
    ends = [first_where(events, lambda seen, name=name: seen.name == name and has_ended(seen)) for name in pods]  # type: ignore[misc]
    return max((end for end in ends if end is not None), default=None) if None not in ends else None


def all_gone(events: Sequence[Seen], pods: Collection[str]) -> bool | None:
    """True once none of the pods is there any more, else None."""
    gone = {seen.name for seen in events if seen.kind == "pods" and seen.gone}
    return True if gone >= set(pods) else None


def has_ended(seen: Seen) -> bool:
    """Whether an event shows the end of a pod's CCF process."""
    return seen.kind == "pods" and (seen.gone or _ccf(seen).terminated is not None)


def address(events: Sequence[Seen], pod: str) -> str | None:
    """The address of a pod whose CCF process runs."""
    for seen in reversed(events):
        if seen.kind == "pods" and seen.name == pod:
            return str(seen.object["status"]["podIP"]) if _ccf(seen).running else None
    return None


def statuses(events: Sequence[Seen]) -> Iterator[tuple[float, Mapping[str, Any]]]:
    """The network's status after each change, with its time."""
    return ((seen.at, seen.object.get("status") or {}) for seen in events if seen.kind == "ccfnetworks")


def first_status(events: Sequence[Seen], check: Callable[[Mapping[str, Any]], object]) -> float | None:
    """When the network's status first came to pass a check."""
    return next((at for at, status in statuses(events) if check(status)), None)


def first_where(events: Sequence[Seen], check: Callable[[Seen], object]) -> float | None:
    """When an event first passed a check."""
    return next((seen.at for seen in events if check(seen)), None)


def _is_candidate(seen: Seen) -> bool:
    return seen.kind == "pods" and seen.object["metadata"]["labels"].get(labels.ROLE) == labels.Role.CANDIDATE.value


def _ccf(seen: Seen) -> Any:
    return container_view((seen.object.get("status") or {}).get("containerStatuses"), CCF)
