from __future__ import annotations

from datetime import datetime, timedelta

from ccf_operator.domain.observation import OperatorView
from ccf_operator.reconcile.reachability import REMEMBERED, Reachability
from unit.domain.given import at


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = at(0)

    def __call__(self) -> datetime:
        return self.now


def counting() -> tuple[Reachability, Clock]:
    clock = Clock()
    return Reachability(OperatorView(pod="op-1", machine="m9"), clock), clock


def test_it_counts_over_all_networks() -> None:
    reach, _ = counting()
    reach.note("one", pods=3, reached=0)
    seen = reach.note("two", pods=3, reached=1)
    assert (seen.pods, seen.networks, seen.unreached_since) == (6, 2, None)
    assert (seen.pod, seen.machine) == ("op-1", "m9")


def test_since_when_none_is_reached() -> None:
    reach, clock = counting()
    assert reach.note("one", pods=3, reached=3).unreached_since is None
    clock.now = at(5)
    assert reach.note("two", pods=3, reached=0).unreached_since is None, "the other is"
    clock.now = at(10)
    assert reach.note("one", pods=3, reached=0).unreached_since == at(10)
    clock.now = at(15)
    assert reach.note("two", pods=3, reached=0).unreached_since == at(10)
    assert reach.note("one", pods=3, reached=1).unreached_since is None


def test_a_network_that_is_not_looked_at_any_more_does_not_count() -> None:
    reach, clock = counting()
    reach.note("gone", pods=3, reached=3)
    clock.now = at(0) + REMEMBERED + timedelta(seconds=1)
    seen = reach.note("one", pods=2, reached=0)
    assert (seen.pods, seen.networks, seen.unreached_since) == (2, 1, clock.now)


def test_networks_without_pods_do_not_count() -> None:
    reach, _ = counting()
    seen = reach.note("one", pods=0, reached=0)
    assert (seen.pods, seen.networks, seen.unreached_since) == (0, 0, None)
