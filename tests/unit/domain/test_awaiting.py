from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.awaiting import Awaited, Progress, progress, what_is_awaited
from ccf_operator.domain.service import ServiceView
from unit.domain.given import NEW, draft, quorum, record, status, view

WAITING = "WaitingForRecoveryShares"


def led(*names: str, status: str = WAITING, state: str = "PartOfNetwork", **fields: object) -> dict[str, NodeAnswers]:
    known = {"key": NEW, "view": 5, "commit": "5.40"}
    return quorum(*names, status=status, state=state, **{**known, **fields})  # type: ignore[arg-type]


def seen(answers: dict[str, NodeAnswers]) -> ServiceView:
    return view(draft(status(*map(record, answers)), answers=answers), NEW)


def other(answers: dict[str, NodeAnswers], name: str, state: str, **fields: Any) -> dict[str, NodeAnswers]:
    """The same, but one node is in another state."""
    said = answers[name]
    assert said.state is not None
    return {**answers, name: replace(said, state=replace(said.state, state=state, **fields))}


@pytest.mark.parametrize(
    ("status", "state", "awaited"),
    [
        ("Recovering", "PartOfPublicNetwork", Awaited.ACCEPT_SERVICE),
        (WAITING, "PartOfPublicNetwork", Awaited.RECOVERY_SHARES),
        (WAITING, "ReadingPrivateLedger", Awaited.DECRYPTING),
        (WAITING, "PartOfNetwork", Awaited.DEAD_END),
        ("Opening", "PartOfNetwork", Awaited.OPENING),
        ("Open", "PartOfNetwork", Awaited.OPENING),
        ("Open", "ReadingPrivateLedger", Awaited.OPENING),
    ],
)
def test_by_the_state_of_the_primary(status: str, state: str, awaited: Awaited) -> None:
    assert what_is_awaited(seen(led("a", "b", status=status, state=state))) is awaited


def test_a_backup_in_another_state_does_not_change_what_the_primary_takes() -> None:
    behind = other(led("a", "b", "c", state="PartOfPublicNetwork"), "b", "ReadingPrivateLedger")
    assert what_is_awaited(seen(behind)) is Awaited.RECOVERY_SHARES


def test_it_is_no_dead_end_while_a_backup_is_still_reading() -> None:
    # It may be the primary when it is done, and opens the service then.
    assert what_is_awaited(seen(other(led("a", "b", "c"), "c", "ReadingPrivateLedger"))) is Awaited.DECRYPTING


def test_nor_before_the_primary_has_committed_in_its_own_view() -> None:
    # An opening that the dead primary had committed may still come to light.
    assert what_is_awaited(seen(led("a", "b", commit="4.40"))) is Awaited.OPENING


def test_without_a_primary_nothing_is_said() -> None:
    alone = {"a": led("a", "b", "c")["a"]}
    assert what_is_awaited(seen(alone)) is None


def test_progress_is_that_of_the_node_farthest_behind() -> None:
    both = led("a", "b", state="ReadingPrivateLedger")
    both = other(both, "a", "ReadingPrivateLedger", last_recovered_seqno=90, recovery_target_seqno=100)
    both = other(both, "b", "ReadingPrivateLedger", last_recovered_seqno=30, recovery_target_seqno=100)
    assert progress(seen(both)) == Progress(30, 100)


def test_nobody_reading_means_no_progress() -> None:
    assert progress(seen(led("a", "b"))) is None
    assert progress(seen(led("a", "b", state="ReadingPrivateLedger"))) is None, "they do not say how far they are"
