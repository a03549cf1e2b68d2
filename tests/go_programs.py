"""Programs under tests/go, which judge with the very libraries that others use."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SOURCES = Path(__file__).resolve().parent / "go"


def built(name: str, into: Path) -> Path:
    """The program of this name, built in a directory. Go keeps what it has compiled: half a minute the first time."""
    if shutil.which("go") is None:
        pytest.fail("Go is not installed: some judges are libraries written in it")
    program = into / name
    command = ["go", "build", "-mod=readonly", "-buildvcs=false", "-o", str(program), "."]
    made = subprocess.run(command, cwd=SOURCES / name, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return program


def judge(program: Path, of: dict[str, Any], *arguments: str) -> Any:
    """What a program says of one object."""
    said = subprocess.run([str(program), *arguments], input=json.dumps([of]), text=True, capture_output=True)
    assert said.returncode == 0, said.stderr
    [judgement] = json.loads(said.stdout)
    return judgement
