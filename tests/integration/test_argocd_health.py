"""The health rule for Argo CD, run in Argo CD's own interpreter on networks of every phase."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from go_programs import built, judge
from integration.conftest import REPOSITORY
from unit.domain.judged import CASES, Case, object_of

RULE = REPOSITORY / "charts/ccf-operator/argocd-health.lua"


@pytest.fixture(scope="session")
def argocd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("argocd", tmp_path_factory.mktemp("argocd"))


def health(argocd: Path, of: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = judge(argocd, of, str(RULE))
    assert found.keys() == {"status", "message"}
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_phase(argocd: Path, case: Case) -> None:
    of = object_of(case)
    found = health(argocd, of)
    assert found["status"] == case.argocd, of["status"].get("reason")
    assert found["message"]


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.argocd in ("Degraded", "Suspended")], ids=lambda case: case.name
)
def test_whoever_must_act_reads_why_and_what(argocd: Path, case: Case) -> None:
    of = object_of(case)
    found = health(argocd, of)
    assert found["message"].startswith(f"{of['status']['reason']}: ") or of["status"]["reason"] == "Running"
    assert of["status"]["nextStep"] in found["message"]


@pytest.mark.parametrize("status", [None, {}, {"phase": "Running"}], ids=["none", "empty", "no conditions"])
def test_without_conditions_it_is_not_healthy(argocd: Path, status: dict[str, Any] | None) -> None:
    of = object_of(CASES[0]) | {"status": status}
    assert health(argocd, of)["status"] == "Progressing"
