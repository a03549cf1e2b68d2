"""Long-running processes of the cluster: started detached, found again by process id and start time."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import cgroups
from e2e.cluster.layout import state_directory
from e2e.cluster.say import ClusterError


@dataclass(frozen=True)
class Daemon:
    """One process by its name in the cluster, e.g. `kube-apiserver` or `machine-2-kubelet`."""

    name: str

    @property
    def _record(self) -> Path:
        return state_directory() / "run" / f"{self.name}.json"

    @property
    def log(self) -> Path:
        return state_directory() / "logs" / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """The process id if that very process still runs."""
        try:
            record = json.loads(self._record.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        pid = int(record["pid"])
        return pid if _start_time(pid) == record["started"] else None

    def start(self, command: Sequence[str | Path], group: str) -> None:
        """Start it in a control group unless it runs already."""
        if self.pid is not None:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._record.parent.mkdir(parents=True, exist_ok=True)
        words = shlex.join(str(word) for word in command)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                ["sh", "-c", f"{cgroups.enter_command(group)}; exec {words}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        self._record.write_text(json.dumps({"pid": process.pid, "started": _start_time(process.pid)}))

    def stop(self, sent: signal.Signals = signal.SIGTERM, patience: float = 5.0) -> None:
        """End it: `sent` first, SIGKILL when patience (seconds) has run out. Its own process only."""
        pid = self.pid
        if pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, sent)
        deadline = time.monotonic() + patience
        while self.pid is not None:
            if time.monotonic() > deadline:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def require_running(self) -> None:
        if self.pid is None:
            tail = ""
            with suppress(FileNotFoundError):
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])
            raise ClusterError(f"{self.name} does not run; the end of {self.log}:\n{tail}")


def _start_time(pid: int) -> str | None:
    """When the process started, in clock ticks since the machine's boot; None if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]
