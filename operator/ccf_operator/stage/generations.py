"""Generations on a volume: `gen-<n>/{manifest.json,ledger,snapshots}` below the volume's root.

The manifest is the claim: whoever creates it owns the generation, and nobody else ever writes there again.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from ccf_operator.ccf.ledger_files import Lineage
from ccf_operator.render.layout import generation as directory_name
from ccf_operator.stage.durable import copy_file, create_file, make_directory, sync_directory
from ccf_operator.stage.plan import StagePlan

MANIFEST = "manifest.json"
LEDGER = "ledger"
SNAPSHOTS = "snapshots"
SURVEY = "survey.json"


class Claimed(Exception):
    """The generation belongs to someone: a node that ran, or a `stage` that was interrupted."""


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
