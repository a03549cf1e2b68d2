"""Running other programs to their end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.cluster.layout import NETNS
from e2e.cluster.say import ClusterError


def run(
    command: Sequence[str | Path],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Standard output of a command; ClusterError with the end of its output if it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            input=stdin,
            text=True,
            capture_output=True,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            check=False,
        )
    except FileNotFoundError as missing:
        raise ClusterError(f"{words[0]} is not installed") from missing
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise ClusterError(f"{' '.join(words)[:400]} ended with {done.returncode}:\n{tail}")
    return done.stdout


def attempt(command: Sequence[str | Path]) -> bool:
    """Whether a command could be run and succeeded. For what may fail without harm."""
    try:
        return subprocess.run([str(word) for word in command], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def inside(*command: str | Path) -> list[str]:
    """The command, to be run in the cluster's network namespace.

    Not `ip netns exec`: that remounts /sys and hides the cgroups.
    """
    return ["nsenter", f"--net=/run/netns/{NETNS}", *(str(word) for word in command)]
