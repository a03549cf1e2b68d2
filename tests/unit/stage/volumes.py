"""Volumes for tests: directories with real ledgers in their generations, and plans for the next one."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ccf_operator.stage.plan import StagePlan, parse_plan

LEDGERS = Path(__file__).parents[2] / "fixtures" / "ccf" / "ledgers"
UID = "0b6ff1c5-3a2e-4c7e-9f00-9d1f3f5b7d11"


def plan_json(generation: int, command: str = "Recover", lineage: Sequence[int] = (0,), **other: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "network": {"name": "bank", "namespace": "default", "uid": UID},
        "volume": "bank-abcde-0",
        "node": f"bank-abcde-{generation}",
        "generation": generation,
        "command": command,
        "attempt": 1 if command == "Recover" else None,
        "lineage": list(lineage) if command == "Recover" else [],
        "serviceCertificate": None,
        "recoveryCount": 0,
        "configuration": [],
        **other,
    }


def plan(generation: int, command: str = "Recover", lineage: Sequence[int] = (0,), **other: Any) -> StagePlan:
    return parse_plan(json.dumps(plan_json(generation, command, lineage, **other)))


def put_ledger(volume: Path, generation: int, fixture: str, uid: str = UID) -> Path:
    """A generation that a node has written: a real ledger, and the manifest of its claim."""
    directory = volume / f"gen-{generation}"
    directory.mkdir(parents=True)
    shutil.copytree(LEDGERS / fixture / "ledger", directory / "ledger")
    (directory / "snapshots").mkdir()
    manifest = plan_json(generation, "Start", network={"name": "bank", "namespace": "default", "uid": uid})
    (directory / "manifest.json").write_text(json.dumps(manifest))
    return directory


def fingerprints(directory: Path) -> dict[str, str]:
    """Every file below a directory, by content; directories with what they hold."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "dir"
        for path in sorted(directory.rglob("*"))
    }


def silent(_event: str, **_facts: object) -> None:
    """Nobody listens."""
