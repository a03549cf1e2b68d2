"""Following a network's status: what is new is told as it comes; a network that needs a person ends the story."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any, Protocol

from ccf_operator.api.status import NetworkStatus, Phase
from e2e.demo import board, news
from e2e.demo.screen import Screen, Wait
from e2e.harness.kubectl import KubectlFailed

EVERY = 0.25
"""Seconds between two looks."""
BLOCKED_FOR = 5.0
"""Seconds after which a network that is `Blocked` is taken to need a person."""


class NeedsPerson(Exception):
    """The operator waits for a decision that no story can make. The message says why, `next_step` what to do."""

    def __init__(self, why: str, next_step: str) -> None:
        super().__init__(why)
        self.next_step = next_step


class Stuck(Exception):
    """What was waited for did not come; the message says what was seen last."""


class Followed(Protocol):
    """A network as far as it is followed."""

    def status(self) -> dict[str, Any]:
        """Its status as the API server gives it. Raises KubectlFailed."""


class Follower:
    """Looks at one network again and again and tells what has changed since the last look.

    `every` and `blocked_for` are seconds: between two looks, and until a blocked network is taken to need a person."""

    def __init__(
        self, network: Followed, screen: Screen, *, every: float = EVERY, blocked_for: float = BLOCKED_FOR
    ) -> None:
        self._network, self._screen = network, screen
        self._every, self._blocked_for = every, blocked_for
        self._seen = NetworkStatus()
        self._blocked_since: float | None = None

    def until(self, what: str, done: Callable[[NetworkStatus], object], *, within: float) -> NetworkStatus:
        """The status once `done(status)` is true. Raises NeedsPerson, Stuck."""
        deadline = time.monotonic() + within
        with self._screen.waiting(what) as wait:
            while True:
                status = self._look(wait)
                if status is not None and done(status):
                    return status
                self._refuse_to_hang(what, deadline, within)
                time.sleep(self._every)

    def _look(self, wait: Wait) -> NetworkStatus | None:
        try:
            status = NetworkStatus.model_validate(self._network.status())
        except (KubectlFailed, subprocess.TimeoutExpired) as problem:
            wait.show(f"kubectl: {problem}")
            return None
        for item in news.tell(self._seen, status):
            self._screen.say("operator", item.text, item.tone)
        self._seen = status
        wait.show(status.message, board.draw(status))
        return status

    def _refuse_to_hang(self, what: str, deadline: float, within: float) -> None:
        now, seen = time.monotonic(), self._seen
        if seen.phase is not Phase.BLOCKED:
            self._blocked_since = None
        else:
            self._blocked_since = self._blocked_since or now
            if now - self._blocked_since > self._blocked_for:
                raise NeedsPerson(f"the operator needs a person: {seen.reason}: {seen.message}", seen.next_step)
        if now > deadline:
            last = f"{seen.phase.value}/{seen.reason}: {seen.message}"
            raise Stuck(f"{what}: not within {within:g} s; the operator says {last}")
