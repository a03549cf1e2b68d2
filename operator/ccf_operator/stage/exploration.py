"""What a volume shows by itself: which of its generations hold the ledger of a service that was open, and whose.

Read-only. It is asked only of volumes whose claim says nothing: everything is taken from the manifests and the ledger.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ccf_operator.ccf.ledger_files import read_lineage
from ccf_operator.ccf.survey import Survey
from ccf_operator.stage.generations import LEDGER, MANIFEST
from ccf_operator.stage.reading import Reading
from ccf_operator.stage.staging import Say, survey_with_progress

_NAMED, _LISTED = 4, 100
"""How many names and generations are told: a termination message is short."""

_GENERATION = re.compile(r"gen-(0|[1-9][0-9]*)")


def _in_silence(*_event: object, **_facts: object) -> None:
    pass


def explore(volume: Path, say: Say = _in_silence, reading: Reading | None = None) -> dict[str, Any]:
    """`facts`, as `api.volume_facts` has them, or None; `manifests`, whose the generations are by their manifests; and
    `problems`, a sentence for each generation passed over.

    The newest generation counts whose ledger, with its ancestors', is whole enough to show that its service was open:
    later ones are of recoveries that came to nothing, or of nodes that had not caught up. `reading` is kept up to how
    far the ledgers have been read.
    """
    reading = reading or Reading()
    numbers = sorted(_generations(volume), reverse=True)
    problems: list[str] = []
    whose = _whose(volume, numbers)
    for number in numbers:
        manifest = _manifest(volume, number)
        lineage = _lineage(manifest, number)
        try:
            found = survey_with_progress(read_lineage([volume / f"gen-{it}" / LEDGER for it in lineage]), say, reading)
        except OSError as error:
            problems.append(f"gen-{number}: {type(error).__name__}: {error.strerror}")
            continue
        if not found.opened or found.service_certificate is None:
            problems.append(f"gen-{number}: {_why_not(found)}")
            continue
        facts = _facts(manifest, lineage, numbers[0] + 1, found)
        return {"facts": facts, "manifests": whose, "problems": problems}
    return {"facts": None, "manifests": whose, "problems": problems or ["no generation of any ledger"]}


def _whose(volume: Path, numbers: list[int]) -> dict[str, Any]:
    """Networks (UIDs) and volumes (names of claims) in the manifests, and the newest generations: all that fit."""
    manifests = [_manifest(volume, number) for number in numbers]
    networks = (found.get("network") for found in manifests)
    return {
        "networks": sorted({str(it["uid"]) for it in networks if isinstance(it, dict) and it.get("uid")})[:_NAMED],
        "volumes": sorted({str(found["volume"]) for found in manifests if found.get("volume")})[:_NAMED],
        "generations": numbers[:_LISTED],
    }


def _generations(volume: Path) -> list[int]:
    names = (_GENERATION.fullmatch(path.name) for path in volume.iterdir() if path.is_dir() and not path.is_symlink())
    return [int(name[1]) for name in names if name is not None]


def _manifest(volume: Path, number: int) -> dict[str, Any]:
    """Empty where there is none that reads: another hand may have put the ledger there."""
    try:
        found = json.loads((volume / f"gen-{number}" / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _lineage(manifest: dict[str, Any], number: int) -> list[int]:
    ancestors = manifest.get("lineage") if manifest.get("command") == "Recover" else None
    older = [it for it in ancestors if isinstance(it, int) and 0 <= it < number] if isinstance(ancestors, list) else []
    return [*sorted({*older}), number]


def _why_not(found: Survey) -> str:
    if found.last_signed is None:
        return f"no ledger that reads ({'; '.join(found.problems)[:100]})" if found.problems else "no ledger"
    return f"up to {found.last_signed} it does not show that its service was open"


def _facts(manifest: dict[str, Any], lineage: list[int], next_generation: int, found: Survey) -> dict[str, Any]:
    network = manifest.get("network")
    return {
        "version": 1,
        "networkUid": network.get("uid") if isinstance(network, dict) else None,
        "lineage": lineage,
        "nextGeneration": next_generation,
        "serviceCertificate": found.service_certificate,
        "serviceKey": found.service_key,
        "recoveryCount": found.recovery_count,
    }
