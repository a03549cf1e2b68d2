"""The machines' local volumes: finding, freeing, wiping and damaging what a claim holds."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

from e2e.cluster.api import Api, Object
from e2e.cluster.say import ClusterError

_VOLUMES = "/api/v1/persistentvolumes"


def recycle(api: Api) -> list[str]:
    """Empty the volumes whose claim is gone and offer them again. Their names."""
    freed = []
    for volume in api.get(_VOLUMES)["items"]:
        if volume["status"].get("phase") in ("Released", "Failed") and "local" in volume["spec"]:
            _empty(_directory(volume))
            name = volume["metadata"]["name"]
            api.merge(f"{_VOLUMES}/{name}", {"spec": {"claimRef": None}})
            freed.append(name)
    return freed


def summary(api: Api) -> str:
    phases = Counter(volume["status"].get("phase", "Pending") for volume in api.get(_VOLUMES)["items"])
    return ", ".join(f"{count} {phase}" for phase, count in sorted(phases.items()))


def path_of(api: Api, namespace: str, claim: str) -> Path:
    """The directory, on this machine, that a bound claim holds."""
    found = api.get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{claim}")
    volume = found["spec"].get("volumeName")
    if not volume:
        raise ClusterError(f"{namespace}/{claim} is not bound to a volume")
    return _directory(api.get(f"{_VOLUMES}/{volume}"))


def wipe(directory: Path) -> None:
    """Lose everything on the volume; the volume itself stays."""
    _empty(directory)


def select(directory: Path, pattern: str) -> list[Path]:
    """Files of the volume by a pattern relative to its root, e.g. `gen-0/ledger/ledger_*`; ClusterError if none."""
    files = sorted(path for path in directory.glob(pattern) if path.is_file())
    if not files:
        raise ClusterError(f"no file on the volume matches {pattern}")
    return files


def flip_byte(file: Path, offset: int) -> None:
    """Invert one byte; a negative offset counts from the end."""
    size = file.stat().st_size
    position = offset if offset >= 0 else size + offset
    if not 0 <= position < size:
        raise ClusterError(f"{file} has {size} bytes, none at {offset}")
    with file.open("r+b") as stream:
        stream.seek(position)
        byte = stream.read(1)[0]
        stream.seek(position)
        stream.write(bytes([byte ^ 0xFF]))


def truncate(file: Path, size: int) -> None:
    """Cut to a size in bytes; a negative one cuts that many bytes off the end."""
    length = file.stat().st_size
    target = size if size >= 0 else length + size
    if not 0 <= target <= length:
        raise ClusterError(f"{file} has only {length} bytes")
    with file.open("r+b") as stream:
        stream.truncate(target)


def _directory(volume: Object) -> Path:
    return Path(volume["spec"]["local"]["path"])


def _empty(directory: Path) -> None:
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
