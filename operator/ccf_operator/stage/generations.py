"""Generations on a volume: `gen-<n>/{manifest.json,ledger,snapshots}` below the volume's root.

The manifest is the claim: whoever creates it owns the generation, and nobody else ever writes there again.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ccf_operator.ccf.ledger_files import Lineage
from ccf_operator.render.layout import generation as directory_name
from ccf_operator.stage.durable import copy_file, create_file, make_directory, sync_directory
from ccf_operator.stage.plan import StagePlan

MANIFEST = "manifest.json"
LEDGER = "ledger"
SNAPSHOTS = "snapshots"
SURVEY = "survey.json"

CLAIMS = 8
"""Claims that a report names: the newest tell how far a plan is behind."""

_GENERATION = re.compile(r"gen-(0|[1-9][0-9]*)")


class Claimed(Exception):
    """The generation belongs to someone: a node that ran, or a `stage` that was interrupted."""


class Outdated(Exception):
    """The plan is older than the volume: others have claimed generations that it knows nothing of.

    `claims`: what their manifests say of them, the newest first (`stage.report.Report.claims`).
    """

    def __init__(self, claims: list[dict[str, Any]]) -> None:
        named = [f"gen-{it['generation']} is claimed by {it['node'] or 'whoever left no manifest'}" for it in claims]
        super().__init__(f"the volume is ahead of this plan: {', '.join(named)}")
        self.claims = claims


class Missing(Exception):
    """A generation of the lineage is not on this volume."""


def claim(volume: Path, plan: StagePlan) -> Path:
    """Claim the plan's generation; returns its directory. Raises Claimed, OSError.

    A claim that was interrupted at any point is a claim: what a second run found there it could not tell from the
    work of a node.
    """
    directory = volume / directory_name(plan.generation)
    manifest = {**plan.recorded, "claimedAt": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        make_directory(directory)
    except FileExistsError:
        if directory.is_symlink() or not directory.is_dir() or any(directory.iterdir()):
            raise Claimed(_claimant(directory)) from None
    try:
        create_file(directory / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True).encode())
    except FileExistsError:
        raise Claimed(_claimant(directory)) from None
    sync_directory(volume)
    return directory


def refuse_what_is_outdated(volume: Path, plan: StagePlan) -> None:
    """See that nobody has claimed the plan's generation, or one above it, on the strength of a later plan.

    A generation that this very planning of the node has claimed is another matter: the kubelet has started its pod
    anew. Raises Outdated, OSError.
    """
    found = [it for it in _claims(volume) if it["generation"] >= plan.generation and not _is_own(volume, plan, it)]
    if found:
        raise Outdated(found[:CLAIMS])


def _claims(volume: Path) -> list[dict[str, Any]]:
    """The generations of a volume that are claimed, the newest first."""
    names = (_GENERATION.fullmatch(path.name) for path in volume.iterdir() if path.is_dir() and not path.is_symlink())
    numbers = sorted((int(name[1]) for name in names if name is not None), reverse=True)
    return [_as_claimed(volume, it) for it in numbers if any((volume / directory_name(it)).iterdir())]


def _as_claimed(volume: Path, number: int) -> dict[str, Any]:
    manifest = _manifest(volume, number)
    node, command, count = manifest.get("node"), manifest.get("command"), manifest.get("recoveryCount")
    return {
        "generation": number,
        "node": node[:64] if isinstance(node, str) else None,
        "command": command[:16] if isinstance(command, str) else None,
        "recoveryCount": count if isinstance(count, int) else None,
    }


def _is_own(volume: Path, plan: StagePlan, claimed: dict[str, Any]) -> bool:
    """Whether it is the plan's generation, claimed by the same planning of the same node.

    A manifest that does not read is of a claim that was interrupted. One that does not say when its node was planned is
    of an earlier version of `stage`.
    """
    if claimed["generation"] != plan.generation:
        return False
    if claimed["node"] is None:
        return True
    planned_at = _manifest(volume, plan.generation).get("plannedAt")
    return claimed["node"] == plan.node and planned_at in (None, plan.recorded.get("plannedAt"))


def _manifest(volume: Path, number: int) -> dict[str, Any]:
    try:
        found = json.loads((volume / directory_name(number) / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def prepare(directory: Path) -> None:
    """Make the directories that CCF writes. Raises OSError."""
    make_directory(directory / LEDGER)
    make_directory(directory / SNAPSHOTS)


def lineage_ledgers(volume: Path, plan: StagePlan) -> list[Path]:
    """The ledger directories of the lineage, oldest first. Raises Missing."""
    ledgers = [volume / directory_name(number) / LEDGER for number in plan.lineage]
    absent = [ledger for ledger in ledgers if not ledger.is_dir()]
    if absent:
        raise Missing(f"no directory {', '.join(str(it.relative_to(volume)) for it in absent)} on the volume")
    return ledgers


def foreign_generations(volume: Path, plan: StagePlan) -> list[str]:
    """A sentence for each generation of the lineage whose manifest names another network, or does not read."""
    found = []
    for number in plan.lineage:
        try:
            uid = json.loads((volume / directory_name(number) / MANIFEST).read_bytes())["network"]["uid"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            found.append(f"{directory_name(number)}: no manifest that reads ({type(error).__name__})")
            continue
        if uid != plan.network_uid:
            found.append(f"{directory_name(number)}: written for the network with UID {uid}")
    return found


def copy_tail(lineage: Lineage, directory: Path) -> list[str]:
    """Copy what only the newest generation has into the new ledger; returns the names. Raises OSError.

    The mark of an unfinished recovery is dropped: a lineage belongs to a service that was open, and CCF would set
    marked files aside and lose them (CCF facts §8.8).
    """
    target = directory / LEDGER
    for file in lineage.tail:
        copy_file(file.path, target / file.settled_name)
    sync_directory(target)
    return [file.settled_name for file in lineage.tail]


def _claimant(directory: Path) -> str:
    try:
        node = json.loads((directory / MANIFEST).read_bytes())["node"]
    except (OSError, ValueError, KeyError, TypeError):
        return f"{directory.name} is not empty and has no manifest that reads"
    return f"{directory.name} is claimed by {node}"
