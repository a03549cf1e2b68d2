"""How long each step took, from the operator's own record and the demo's clock.

The two clocks are the same machine's on the project's own cluster; elsewhere a difference of theirs shows in the first
and the last steps. A step that seems to end before it began took no time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ccf_operator.api.status import Timeline


class Who(StrEnum):
    """Whose time it was."""

    OPERATOR = "operator"
    MEMBERS = "members"
    CLIENT = "client"


@dataclass(frozen=True)
class Link:
    """A step: from the last of the moments `after` that is known, to the moment `ends`."""

    title: str
    who: Who
    ends: str
    after: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """A step that was taken; times in seconds, `begin` since the start of the time line."""

    title: str
    who: Who
    begin: float
    took: float

    @property
    def end(self) -> float:
        return self.begin + self.took


CREATION = (
    Link("nodes start and join", Who.OPERATOR, "awaitingOpen", ("applied",)),
    Link("members open it", Who.MEMBERS, "openVoted", ("awaitingOpen",)),
    Link("every node serves", Who.OPERATOR, "serves", ("openVoted",)),
)
"""From `kubectl apply` to a service that every node serves."""

RECOVERY = (
    Link("loss proven", Who.OPERATOR, "proven", ("killed",)),
    Link("volumes fenced", Who.OPERATOR, "fenced", ("proven",)),
    Link("candidates recover", Who.OPERATOR, "recovered", ("fenced",)),
    Link("winner chosen", Who.OPERATOR, "chosen", ("recovered",)),
    Link("losers gone", Who.OPERATOR, "losersGone", ("chosen",)),
    Link("joiners caught up", Who.OPERATOR, "joined", ("chosen",)),
    Link("members accept it", Who.MEMBERS, "accepted", ("joined", "losersGone")),
    Link("members' shares", Who.MEMBERS, "shares", ("accepted",)),
    Link("ledger decrypted, open", Who.OPERATOR, "open", ("shares",)),
    Link("every node serves", Who.OPERATOR, "servesAgain", ("open",)),
    Link("all read back", Who.CLIENT, "readBack", ("servesAgain",)),
)
"""From the end of the majority to the last entry read back."""


def moments(timeline: Timeline) -> dict[str, datetime]:
    """The moments of an attempt that are known, under the names that `RECOVERY` uses."""
    found = {
        "proven": timeline.proven_at,
        "fenced": timeline.fenced_at,
        "recovered": timeline.recovered_at,
        "chosen": timeline.chosen_at,
        "losersGone": timeline.losers_gone_at,
        "joined": timeline.joined_at,
        "open": timeline.open_at,
    }
    return {name: at for name, at in found.items() if at is not None}


def steps(links: Sequence[Link], known: Mapping[str, datetime], start: str) -> list[Step]:
    """The steps whose end is known, in the order of `links`. KeyError if `start` is not a known moment."""
    zero = known[start]
    taken = []
    for link in links:
        if link.ends in known:
            began = max((known[name] for name in link.after if name in known), default=zero)
            begin = (began - zero).total_seconds()
            taken.append(Step(link.title, link.who, begin, max((known[link.ends] - began).total_seconds(), 0.0)))
    return taken


def share(taken: Sequence[Step], who: Who) -> float:
    """Seconds during which at least one step of theirs was going on."""
    total, reached = 0.0, float("-inf")
    for begin, end in sorted((step.begin, step.end) for step in taken if step.who is who):
        total += max(end - max(begin, reached), 0.0)
        reached = max(reached, end)
    return total


def bar(step: Step, total: float, width: int) -> tuple[int, int]:
    """Where a step's bar begins and how long it is, in characters of a line of `width` that stands for `total`."""
    if total <= 0:
        return 0, 1
    begin = min(round(step.begin / total * width), width - 1)
    return begin, max(min(round(step.end / total * width), width) - begin, 1)
