"""What the user reads while the cluster works: one line a step, on standard error, with the seconds since the start."""

from __future__ import annotations

import sys
import time

_BEGAN = time.monotonic()


class ClusterError(Exception):
    """Something the user must know of; the message says what to do."""


def say(text: str) -> None:
    elapsed = time.monotonic() - _BEGAN
    print(f"[{int(elapsed) // 60:2d}:{elapsed % 60:04.1f}] {text}", file=sys.stderr, flush=True)
