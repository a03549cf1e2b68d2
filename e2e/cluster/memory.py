"""What the cluster remembers: etcd's directory kept under a name, and put back later as after a disaster."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from e2e.cluster import control_plane
from e2e.cluster.layout import state_directory
from e2e.cluster.say import ClusterError


def keep(name: str) -> Path:
    """Copy what etcd holds, under a name; what was kept under it before is replaced. etcd must not run."""
    kept = _place(name)
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(control_plane.etcd_directory(), kept)
    return kept


def require(name: str) -> Path:
    """Where it is kept; ClusterError if nothing is kept under that name."""
    kept = _place(name)
    if not kept.is_dir():
        raise ClusterError(f"nothing is kept as {name}: `etcd save {name}` comes first")
    return kept


def put_back(name: str) -> None:
    """Let etcd hold what was kept under this name, and nothing that came after. etcd must not run."""
    kept = require(name)
    shutil.rmtree(control_plane.etcd_directory())
    shutil.copytree(kept, control_plane.etcd_directory())


def _place(name: str) -> Path:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) is None:
        raise ClusterError(f"{name!r} is no name: letters, digits, dots and dashes")
    return state_directory() / "kept" / name
