from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.reconcile.kept import MEANT_AFTER, Kept, NotKept, lacks_only

WHOLE: dict[str, Any] = {"nodes": [{"name": "a", "ip": "1"}, {"name": "b", "ip": "2"}], "phase": "Running"}
CUT: dict[str, Any] = {"nodes": [{"name": "a"}, {"name": "b"}], "phase": "Running"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("less", "whole", "verdict"),
    [
        (CUT, WHOLE, True),
        ({}, WHOLE, True),
        (WHOLE, WHOLE, True),
        (WHOLE, CUT, False),
        ({"nodes": []}, WHOLE, False),
        ({"phase": "Blocked"}, WHOLE, False),
        ({"observedGeneration": -1}, WHOLE, False),
    ],
)
def test_what_has_only_lost_something_is_told_from_what_was_written(less: Any, whole: Any, verdict: bool) -> None:
    assert lacks_only(less, whole) is verdict


def test_a_status_that_is_another_at_the_same_version_was_not_kept() -> None:
    kept = Kept()
    kept.read("1", WHOLE)
    with pytest.raises(NotKept, match=r"\.status\.nodes\[\]\.ip"):
        kept.read("1", CUT)


def test_one_that_has_only_lost_something_is_not_believed_at_once() -> None:
    clock = Clock()
    kept = Kept(clock)
    kept.read("1", WHOLE)
    for clock.now in (0.0, MEANT_AFTER - 0.1):
        with pytest.raises(NotKept):
            kept.read("2", CUT)
    clock.now = MEANT_AFTER
    kept.read("2", CUT)


def test_one_that_was_written_otherwise_is_another_matter() -> None:
    kept = Kept()
    kept.read("1", WHOLE)
    kept.read("2", {"nodes": [], "phase": "Running"})
    assert kept.to_restore({"nodes": [], "phase": "Running"}) is None


def test_a_write_that_comes_back_otherwise_licenses_nothing_and_is_written_again() -> None:
    kept = Kept()
    kept.read("1", {"phase": "Creating"})
    with pytest.raises(NotKept):
        kept.written("2", WHOLE, CUT)
    assert kept.to_restore(CUT) == WHOLE
    kept.written("3", WHOLE, WHOLE)
    assert kept.to_restore(CUT) is None


def test_a_list_that_is_gone_is_not_one_that_is_empty() -> None:
    with pytest.raises(NotKept):
        Kept().written("2", {"nodes": []}, {})


def test_what_was_lost_while_all_was_withheld_is_written_back() -> None:
    kept = Kept()
    kept.read("1", WHOLE)
    kept.withheld()
    kept.withheld()
    assert kept.to_restore(CUT) == WHOLE


@pytest.mark.parametrize("found", [WHOLE, {"nodes": [{"name": "c"}], "phase": "Running"}])
def test_nothing_is_written_back_over_what_is_whole_or_somebody_elses(found: Any) -> None:
    kept = Kept()
    kept.read("1", WHOLE)
    kept.withheld()
    assert kept.to_restore(found) is None
