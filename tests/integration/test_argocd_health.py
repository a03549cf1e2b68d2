"""The health rule for Argo CD, run by a real Lua on networks of every phase."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from debian import installed
from unit.domain.judged import CASES, Case, object_of

RULE = Path(__file__).resolve().parents[2] / "charts/ccf-operator/argocd-health.lua"
PACKAGE = "lua5.1"
"""The version of Lua that Argo CD's interpreter implements."""

_AS_ARGO_CD = """\
local tostring, print = tostring, print
string, math, io, debug, coroutine = nil, nil, nil, nil, nil
obj = %s
local function rule()
%s
end
local health = rule()
print(tostring(health.status))
print(tostring(health.message))
"""
"""Argo CD gives a rule the object as `obj` and, by default, only Lua's base, table and os libraries."""


@dataclass(frozen=True)
class Health:
    """What the rule says."""

    status: str
    message: str


@pytest.fixture(scope="session")
def lua() -> str:
    """The interpreter."""
    return installed(PACKAGE, PACKAGE)


def judge(lua: str, of: dict[str, Any]) -> Health:
    script = _AS_ARGO_CD % (_literal(of), RULE.read_text())
    done = subprocess.run([lua, "-"], input=script, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    status, _, message = done.stdout.partition("\n")
    return Health(status, message.strip())


def _literal(value: Any) -> str:
    """JSON's value as Lua's; what is null is not there."""
    match value:
        case None:
            return "nil"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return '"' + "".join(_character(character) for character in value) + '"'
        case list():
            return "{" + ", ".join(map(_literal, value)) + "}"
        case dict():
            return "{" + ", ".join(f"[{_literal(key)}] = {_literal(item)}" for key, item in value.items()) + "}"
    raise TypeError(f"{type(value)} is not JSON's")


def _character(character: str) -> str:
    if character.isascii() and character.isprintable() and character not in '"\\':
        return character
    return "".join(f"\\{byte:03}" for byte in character.encode())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_phase(lua: str, case: Case) -> None:
    of = object_of(case)
    health = judge(lua, of)
    assert health.status == case.argocd, of["status"].get("reason")
    assert health.message


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.argocd in ("Degraded", "Suspended")], ids=lambda case: case.name
)
def test_whoever_must_act_reads_why_and_what(lua: str, case: Case) -> None:
    of = object_of(case)
    health = judge(lua, of)
    assert health.message.startswith(f"{of['status']['reason']}: ") or of["status"]["reason"] == "Running"
    assert of["status"]["nextStep"] in health.message


@pytest.mark.parametrize("status", [None, {}, {"phase": "Running"}], ids=["none", "empty", "no conditions"])
def test_without_conditions_it_is_not_healthy(lua: str, status: dict[str, Any] | None) -> None:
    of = object_of(CASES[0]) | {"status": status}
    assert judge(lua, of).status == "Progressing"
