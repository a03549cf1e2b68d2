"""Faults that tests ask for through the environment, never through CCF's surface.

CCF_SIM_REPLAY_MS      milliseconds per entry read in the public replay of Recover
CCF_SIM_PRIVATE_MS     milliseconds per entry read in private recovery
CCF_SIM_CRASH_AT       name of a phase at which the process kills itself with SIGKILL
CCF_SIM_HANG_AT        name of a phase at which the whole process stops answering

Phases: "listening", "replaying" (after the first batch), "recovered" (public ledger read, nothing written yet),
"created", "joined", "private" (private recovery begins), "opening" (before the service is opened again).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Faults:
    replay_delay: float = 0.0  # seconds per entry
    private_delay: float = 0.0
    crash_at: str | None = None
    hang_at: str | None = None

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Faults:
        return cls(
            float(environment.get("CCF_SIM_REPLAY_MS", "0")) / 1000,
            float(environment.get("CCF_SIM_PRIVATE_MS", "0")) / 1000,
            environment.get("CCF_SIM_CRASH_AT"),
            environment.get("CCF_SIM_HANG_AT"),
        )

    def reach(self, phase: str) -> None:
        """Come to a phase: perhaps to stay there."""
        if phase == self.crash_at:
            os.kill(os.getpid(), signal.SIGKILL)
            os._exit(137)  # as process 1 of a container, where SIGKILL from inside is ignored
        while phase == self.hang_at:
            time.sleep(3600)
