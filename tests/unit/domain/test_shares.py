from __future__ import annotations

import pytest

from ccf_operator.api.governance_status import SharesStatus
from ccf_operator.domain.observation import ShareReport
from ccf_operator.domain.shares import keep_shares
from unit.domain.given import NEW, at

NAMES = {"a" * 64: "alice", "b" * 64: "bob", "c" * 64: "carol"}


def report(who: str, submitted: int, after: float, threshold: int = 3) -> ShareReport:
    return ShareReport(NEW, who * 64, submitted, threshold, at(after))


def shares(submitted: int, *who: str, after: float | None = None) -> SharesStatus:
    when = None if after is None else at(after)
    return SharesStatus(submitted=submitted, threshold=3, reported_by=list(who), at=when)


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([], shares(0)),
        ([report("a", 1, 5)], shares(1, "alice", after=5)),
        ([report("b", 2, 6), report("a", 1, 5)], shares(2, "alice", "bob", after=6)),
        # Within one second, which is all that the API server tells apart.
        ([report("b", 2, 5), report("a", 1, 5)], shares(2, "alice", "bob", after=5)),
        # Again, after the primary has changed.
        ([report("a", 1, 5), report("a", 1, 9)], shares(1, "alice", after=9)),
        # Alice may not create events: her share counts, her name is not known.
        ([report("b", 2, 6)], shares(2, "bob", after=6)),
        # One was wrong, and CCF has forgotten all of them.
        ([report("a", 1, 5), report("b", 2, 6), report("c", 1, 9)], shares(1, "carol", after=9)),
        # Somebody whom the spec does not have.
        ([report("d", 1, 5)], shares(1, "dddddddd…", after=5)),
    ],
)
def test_the_last_report_counts(reports: list[ShareReport], expected: SharesStatus) -> None:
    found = keep_shares(None, reports, 3, NAMES)
    assert found == expected
    assert keep_shares(found, reports, 3, NAMES) == found, "nothing new is no news"


def test_what_the_api_server_has_forgotten_is_kept() -> None:
    known = shares(2, "alice", "bob", after=6)
    assert keep_shares(known, [], 3, NAMES) == known
    assert keep_shares(known, [report("a", 1, 5)], 3, NAMES) == known, "an older one than the last"
    later = [report("c", 3, 9)]
    assert keep_shares(known, later, 3, NAMES) == shares(3, "alice", "bob", "carol", after=9)


def test_whose_shares_were_forgotten_are_not_kept() -> None:
    known = shares(2, "alice", "bob", after=6)
    assert keep_shares(known, [report("c", 1, 9)], 3, NAMES) == shares(1, "carol", after=9)
    assert keep_shares(shares(3, "alice", after=6), [report("c", 2, 9)], 3, NAMES) == shares(2, "carol", after=9)
    one = shares(1, "alice", after=6)
    assert keep_shares(one, [report("c", 1, 9)], 3, NAMES) == shares(1, "carol", after=9)


def test_the_service_knows_the_threshold_best() -> None:
    assert keep_shares(None, [report("a", 1, 5, threshold=9)], 2, NAMES).threshold == 2
    assert keep_shares(None, [report("a", 1, 5, threshold=9)], None, NAMES).threshold == 9
