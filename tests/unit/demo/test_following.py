from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from ccf_operator.api.status import NetworkStatus, Phase
from e2e.demo.following import Follower, NeedsPerson, Stuck
from e2e.harness.kubectl import KubectlFailed
from unit.demo.screens import Page, plain


class Recorded:
    """A network whose statuses are known beforehand; the last one stays."""

    def __init__(self, statuses: Iterable[NetworkStatus | KubectlFailed]) -> None:
        self._left = list(statuses)

    def status(self) -> dict[str, Any]:
        now = self._left.pop(0) if len(self._left) > 1 else self._left[0]
        if isinstance(now, KubectlFailed):
            raise now
        return now.model_dump(mode="json", by_alias=True, exclude_none=True)


def follower(page: Page, *statuses: NetworkStatus | KubectlFailed) -> Follower:
    return Follower(Recorded(statuses), plain(page), every=0, blocked_for=0)


RUNNING = NetworkStatus(phase=Phase.RUNNING, message="the service is open")
BLOCKED = NetworkStatus(
    phase=Phase.BLOCKED, reason="ApprovalRequired", message="a volume is missing", next_step="bring it back"
)


def test_what_happens_on_the_way_is_told() -> None:
    page = Page()
    follower(page, NetworkStatus(), NetworkStatus(next_step="vote"), RUNNING).until("it runs", _runs, within=10)
    assert page.getvalue().index("vote") < page.getvalue().index("phase Running")


def test_what_was_told_is_not_told_again_by_the_next_wait() -> None:
    page = Page()
    following = follower(page, RUNNING)
    following.until("it runs", _runs, within=10)
    following.until("it runs", _runs, within=10)
    assert page.getvalue().count("phase Running") == 1


def test_a_network_that_needs_a_person_ends_the_story_with_the_reason() -> None:
    with pytest.raises(NeedsPerson, match="ApprovalRequired: a volume is missing") as need:
        follower(Page(), BLOCKED).until("it runs", _runs, within=10)
    assert need.value.next_step == "bring it back"


def test_a_block_that_passes_is_waited_out() -> None:
    following = Follower(Recorded([BLOCKED, RUNNING]), plain(Page()), every=0, blocked_for=60)
    assert following.until("it runs", _runs, within=10).phase is Phase.RUNNING


def test_what_never_comes_ends_the_story_with_what_was_seen_last() -> None:
    degraded = NetworkStatus(phase=Phase.DEGRADED, reason="NodesEnded", message="bank-0 ended")
    following = follower(Page(), degraded)
    with pytest.raises(Stuck, match=r"it runs: not within 0 s.*Degraded/NodesEnded: bank-0 ended"):
        following.until("it runs", _runs, within=0)


def test_an_api_server_that_does_not_answer_is_asked_again() -> None:
    found = follower(Page(), KubectlFailed("refused"), RUNNING).until("it runs", _runs, within=10)
    assert found.phase is Phase.RUNNING


def _runs(status: NetworkStatus) -> bool:
    return status.phase is Phase.RUNNING
