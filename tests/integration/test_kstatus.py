"""kstatus itself, as Flux uses it, on networks of every phase."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integration.conftest import REPOSITORY
from unit.domain.judged import CASES, Case, object_of

PROGRAM = REPOSITORY / "tests/go/kstatus"

Judge = Callable[[dict[str, Any]], str]


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """What the library says of an object."""
    built = tmp_path_factory.mktemp("kstatus") / "kstatus"
    # Half a minute the first time; Go keeps what it has compiled.
    subprocess.run(["go", "build", "-mod=readonly", "-buildvcs=false", "-o", str(built), "."], cwd=PROGRAM, check=True)
    return lambda of: _judged(built, of)


def _judged(program: Path, of: dict[str, Any]) -> str:
    said = subprocess.run([str(program)], input=json.dumps([of]), text=True, capture_output=True, check=True)
    [status] = json.loads(said.stdout)
    return str(status)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_phase(judge: Judge, case: Case) -> None:
    of = object_of(case)
    assert judge(of) == case.kstatus, of["status"].get("reason")


def test_an_object_without_any_status_would_be_taken_for_finished(judge: Judge) -> None:
    assert judge(object_of(CASES[0]) | {"status": {}}) == "Current"
