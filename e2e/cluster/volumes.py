"""The machines' local volumes: finding, freeing, wiping and damaging what a claim holds."""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import suppress
from pathlib import Path

from e2e.cluster import machine, objects
from e2e.cluster.api import Api, Object
from e2e.cluster.layout import SMALL_STORAGE_CLASS, SMALL_VOLUMES_PER_MACHINE, Machine, machines
from e2e.cluster.say import ClusterError

_FILLER = "not-of-this-network"
_VOLUMES = "/api/v1/persistentvolumes"


def recycle(api: Api) -> list[str]:
    """Empty the volumes whose claim is gone and offer them again. Their names."""
    freed = []
    for volume in api.get(_VOLUMES)["items"]:
        if "local" not in volume["spec"]:
            continue
        name, phase = volume["metadata"]["name"], volume["status"].get("phase")
        if phase in ("Released", "Failed"):
            _empty(_directory(volume))
            api.merge(f"{_VOLUMES}/{name}", {"spec": {"claimRef": None, "persistentVolumeReclaimPolicy": "Retain"}})
            freed.append(name)
        elif phase == "Available" and any(_directory(volume).iterdir()) and _is_free(api, name):
            # Its claim was made after the moment that the API server was put back to.
            _empty(_directory(volume))
            freed.append(name)
    return freed


def _is_free(api: Api, name: str) -> bool:
    volume = api.get(f"{_VOLUMES}/{name}")
    return volume["status"].get("phase") == "Available" and not volume["spec"].get("claimRef")


def summary(api: Api) -> str:
    phases = Counter(volume["status"].get("phase", "Pending") for volume in api.get(_VOLUMES)["items"])
    return ", ".join(f"{count} {phase}" for phase, count in sorted(phases.items()))


def path_of(api: Api, namespace: str, claim: str) -> Path:
    """The directory, on this machine, that a bound claim holds."""
    return _directory(_volume_of(api, namespace, claim))


def _volume_of(api: Api, namespace: str, claim: str) -> Object:
    found = api.get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{claim}")
    volume = found["spec"].get("volumeName")
    if not volume:
        raise ClusterError(f"{namespace}/{claim} is not bound to a volume")
    return api.get(f"{_VOLUMES}/{volume}")


def _machine_of(volume: Object) -> Machine:
    name = objects.machine_name_of(volume)
    return next(one for one in machines() if one.name == name)


def offer_small(api: Api, size: str) -> list[str]:
    """Offer volumes of a size such as `4m` on every machine that runs, in a StorageClass of their own; their names.

    They are in memory and go with their machine. Those that somebody has claimed stay as they are.
    """
    claimed = {v["metadata"]["name"] for v in api.get(_VOLUMES)["items"] if v["spec"].get("claimRef")}
    offered = []
    for one in machines():
        if not machine.is_running(one):
            continue
        for number in range(1, SMALL_VOLUMES_PER_MACHINE + 1):
            name, path = f"{one.name}-small-{number:02d}", one.directory / "small" / f"{number:02d}"
            if name not in claimed:
                machine.mount_memory(one, path, size)
                api.ensure(_VOLUMES, objects.persistent_volume(name, one, path, SMALL_STORAGE_CLASS))
                offered.append(name)
    return offered


def resize(api: Api, namespace: str, claim: str, size: str) -> None:
    """Give a small volume in use another size, e.g. `32m`."""
    volume = _volume_of(api, namespace, claim)
    _require_small(volume, claim)
    machine.mount_memory(_machine_of(volume), Path(volume["spec"]["local"]["path"]), size)


def fill(api: Api, namespace: str, claim: str) -> None:
    """Leave not one byte free on a small volume: somebody else's file takes them."""
    volume = _volume_of(api, namespace, claim)
    _require_small(volume, claim)
    with (_directory(volume) / _FILLER).open("ab", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(4096))


def drain(api: Api, namespace: str, claim: str) -> None:
    """Remove what `fill` put on a volume."""
    (path_of(api, namespace, claim) / _FILLER).unlink(missing_ok=True)


def _require_small(volume: Object, claim: str) -> None:
    if volume["spec"].get("storageClassName") != SMALL_STORAGE_CLASS:
        raise ClusterError(f"the volume of {claim} is on this machine's own disk: offer small ones, and claim those")


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
    path = Path(volume["spec"]["local"]["path"])
    if volume["spec"].get("storageClassName") == SMALL_STORAGE_CLASS:
        return machine.seen_from_here(_machine_of(volume), path)
    return path


def _empty(directory: Path) -> None:
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
