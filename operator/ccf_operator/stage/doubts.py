"""Whether generations that failed attempts wrote show that their service was opened after all.

Such a generation is no part of the ledger being recovered. But if it holds the `Open` row of a later service followed
by a signature, clients may have written to that service, and a person must know before anything older is recovered.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ccf_operator.ccf.ledger_files import Lineage, read_lineage
from ccf_operator.render.layout import generation as directory_name
from ccf_operator.stage.generations import LEDGER, MANIFEST
from ccf_operator.stage.plan import StagePlan

if TYPE_CHECKING:
    from ccf_operator.ccf.survey import Survey

Read = Callable[[Lineage], "Survey"]


class Doubt(NamedTuple):
    """Why a generation may hold an opened service, in a sentence; `opened`: the key of the one that was."""

    why: str
    opened: str | None = None


def doubts(volume: Path, plan: StagePlan, read: Read) -> list[Doubt]:
    """One for each doubtful generation that may hold an opened service later than the one being recovered."""
    found = (_doubt(volume, plan, number, read) for number in plan.doubtful)
    return [doubt for doubt in found if doubt is not None]


def _doubt(volume: Path, plan: StagePlan, number: int, read: Read) -> Doubt | None:
    name = directory_name(number)
    if not (volume / name / LEDGER).is_dir():
        return None
    try:
        ancestors = _ancestors(json.loads((volume / name / MANIFEST).read_bytes()))
        ledgers = [volume / directory_name(it) / LEDGER for it in (*ancestors, number)]
        lineage = read_lineage(ledgers)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Doubt(f"{name} does not read ({type(error).__name__}), it may hold a service that was opened")
    if lineage.empty:
        return None
    survey = read(lineage)
    later = survey.recovery_count is None or survey.recovery_count > plan.recovery_count
    if later and survey.opened:
        key = survey.service_key or ""
        return Doubt(f"{name} shows that service {key[:8]} was opened, and goes on to {survey.last_signed}", key)
    if later and not survey.sound:
        return Doubt(f"{name} is damaged after {survey.last_signed}, it may hold a service that was opened")
    return None


def _ancestors(manifest: dict[str, Any]) -> list[int]:
    return [int(it) for it in manifest["lineage"]] if manifest["command"] == "Recover" else []
