"""What keeps pods of the test's own kubelets from becoming what they should be."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType


@dataclass
class Trouble:
    """May be changed at any time; it concerns what comes to that point from then on."""

    unpullable: set[str] = field(default_factory=set)
    """Images that cannot be pulled."""
    unmountable: str | None = None
    """Why no volume can be mounted: kubelets say so in Events, and start nothing of a pod as long as it is so."""
    unprovisioned: set[str | None] = field(default_factory=set)
    """Storage classes of which no volume is made; None: for claims that name none."""
    sandboxes_to_lose: int = 0
    """So many pods, the next ones, lose their sandbox once their init container has ended: under restartPolicy Never
    the kubelet then starts nothing of them any more, and they are Pending for ever."""
    cpu: float | None = None
    """Seconds that `stage` waits for the CPU at each call of a function, as where next to none is given to it."""

    def loses_a_sandbox(self) -> bool:
        """Whether it is this pod's turn."""
        self.sandboxes_to_lose -= 1
        return self.sandboxes_to_lose >= 0


@contextmanager
def throttled(seconds: float | None) -> Iterator[None]:
    """What runs in this thread gets the CPU only now and then."""
    if seconds is None:
        yield
        return
    debt = 0.0

    def wait(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal debt
        debt += seconds if event == "call" else 0.0
        if debt > 0.02:
            time.sleep(debt)
            debt = 0.0

    sys.setprofile(wait)
    try:
        yield
    finally:
        sys.setprofile(None)
