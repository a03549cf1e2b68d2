from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ccf_operator.ccf.survey import survey_lineage
from ccf_operator.stage.doubts import Doubt, doubts
from ccf_operator.stage.plan import BadPlan
from ccf_operator.stage.staging import stage
from unit.stage.volumes import fingerprints, plan, plan_json, put_ledger, silent


def found(volume: Path, *doubtful: int, count: int = -1) -> list[Doubt]:
    """`count`: recoveries of the service being recovered; the fixtures' was never recovered, and is later than -1."""
    return doubts(volume, replace(plan(9, doubtful=list(doubtful)), recovery_count=count), survey_lineage)


def test_a_later_service_that_was_opened_is_named_with_its_key(tmp_path: Path) -> None:
    put_ledger(tmp_path, 3, "damaged/intact")
    [doubt] = found(tmp_path, 3)
    assert doubt.opened is not None
    assert doubt.opened[:8] in doubt.why
    assert "gen-3" in doubt.why


def test_the_service_that_is_recovered_is_no_doubt(tmp_path: Path) -> None:
    put_ledger(tmp_path, 3, "damaged/intact")
    assert found(tmp_path, 3, count=0) == []


def test_a_generation_that_is_not_there_or_holds_nothing_is_no_doubt(tmp_path: Path) -> None:
    (tmp_path / "gen-4" / "ledger").mkdir(parents=True)
    (tmp_path / "gen-4" / "manifest.json").write_text(json.dumps(plan_json(4, "Join")))
    assert found(tmp_path, 3, 4) == []


def test_one_whose_manifest_does_not_read_is(tmp_path: Path) -> None:
    put_ledger(tmp_path, 3, "damaged/intact")
    (tmp_path / "gen-3" / "manifest.json").write_text("{")
    [doubt] = found(tmp_path, 3)
    assert doubt.opened is None
    assert "does not read" in doubt.why


def test_so_is_one_that_is_damaged_before_it_shows_anything(tmp_path: Path) -> None:
    ledger = put_ledger(tmp_path, 3, "damaged/intact") / "ledger"
    for file in ledger.iterdir():
        file.write_bytes(b"\xff" * 64)
    [doubt] = found(tmp_path, 3)
    assert (doubt.opened, "damaged" in doubt.why) == (None, True)


def test_a_winner_s_generation_is_read_with_its_ancestors(tmp_path: Path) -> None:
    old = put_ledger(tmp_path, 0, "damaged/intact")
    tail = tmp_path / "gen-2" / "ledger"
    tail.mkdir(parents=True)
    shutil.move(str(old / "ledger" / "ledger_168"), tail / "ledger_168.recovery")
    (tmp_path / "gen-2" / "manifest.json").write_text(json.dumps(plan_json(2, "Recover", [0])))
    [doubt] = found(tmp_path, 2)
    assert doubt.opened is not None


def test_the_report_tells_and_no_generation_is_changed(tmp_path: Path) -> None:
    put_ledger(tmp_path, 0, "damaged/intact")
    put_ledger(tmp_path, 3, "damaged/intact")
    (tmp_path / "gen-3" / "manifest.json").write_text("{")
    before = {name: fingerprints(tmp_path / name) for name in ("gen-0", "gen-3")}
    report = stage(tmp_path, plan(9, doubtful=[3]), silent)
    assert report.survey is not None
    assert len(report.survey["doubts"]) == 1
    assert report.survey["openedLater"] == []
    assert {name: fingerprints(tmp_path / name) for name in before} == before


@pytest.mark.parametrize("doubtful", [[0], [9], [12]])
def test_only_generations_beside_the_lineage_and_before_its_own_can_be_doubtful(doubtful: list[int]) -> None:
    with pytest.raises(BadPlan, match="doubtful"):
        plan(9, doubtful=doubtful)
