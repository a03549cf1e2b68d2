"""Control groups, of version 1 (one hierarchy for each controller) and of version 2 (one for all)."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from e2e.cluster.layout import CGROUP
from e2e.cluster.say import ClusterError

_MOUNT = Path("/sys/fs/cgroup")
_NEEDED = ("cpuset", "cpu", "memory", "pids")


def _unified() -> bool:
    return (_MOUNT / "cgroup.controllers").exists()


def _hierarchies() -> list[Path]:
    """The roots below which a group of ours must exist."""
    if _unified():
        return [_MOUNT]
    found = [path for path in _MOUNT.iterdir() if path.is_dir() and (path / "tasks").exists()]
    return sorted({path.resolve() for path in found})


def _places(group: str) -> list[Path]:
    """Where the group is or may be, the hierarchies that runc fills beside ours included."""
    roots = [_MOUNT, *(path.resolve() for path in _MOUNT.iterdir() if path.is_dir())]
    return sorted({root / group for root in roots if (root / group).is_dir()})


def _tracking_root() -> Path:
    """The hierarchy that tells which processes belong to a group."""
    return _MOUNT if _unified() else _MOUNT / "pids"


def create(group: str) -> None:
    """Make a group such as `ccf-e2e/machine-1`, with its parents, ready to hold groups with limits."""
    for root in _hierarchies():
        path = root
        for part in group.split("/"):
            if _unified():
                _delegate(path)
            path = path / part
            path.mkdir(exist_ok=True)
            _inherit_cpuset(path)
        if _unified():
            _delegate(path)


def _delegate(path: Path) -> None:
    offered = (path / "cgroup.controllers").read_text().split()
    for controller in _NEEDED:
        if controller in offered:
            with suppress(OSError):
                (path / "cgroup.subtree_control").write_text(f"+{controller}")


def _inherit_cpuset(path: Path) -> None:
    """A version-1 cpuset is born empty and takes no process until it is filled."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = path / name
        if not _unified() and file.exists() and not file.read_text().strip():
            file.write_text((path.parent / name).read_text())


def enter_command(group: str) -> str:
    """Shell words that put the shell itself into a group made for processes."""
    path = _tracking_root() / group
    path.mkdir(parents=True, exist_ok=True)
    return f"echo $$ > {path}/cgroup.procs"


def processes(group: str) -> list[int]:
    """Process ids in the group and below."""
    root = _tracking_root() / group
    found: list[int] = []
    for directory, _, _ in os.walk(root):
        with suppress(OSError):
            found += [int(line) for line in (Path(directory) / "cgroup.procs").read_text().split()]
    return found


def processes_with(pid: int) -> list[int]:
    """All process ids in the group of one process."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == ("" if _unified() else "pids"):
            return [int(one) for one in (_tracking_root() / path.lstrip("/") / "cgroup.procs").read_text().split()]
    raise ClusterError(f"process {pid} is in no control group")


def kill_all(group: str, *, first: tuple[int, ...] = ()) -> None:
    """SIGKILL every process in the group and below, `first` before the others, until none is left."""
    for pid in first:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while pids := processes(group):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise ClusterError(f"processes {pids} of {group} do not die")
        time.sleep(0.02)


def remove(group: str) -> None:
    """Remove the group and all below it, in every hierarchy. The processes must have ended."""
    for place in _places(group):
        for directory, _, _ in os.walk(place, topdown=False):
            for _ in range(100):
                try:
                    Path(directory).rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.02)


def exists() -> bool:
    return bool(_places(CGROUP))
