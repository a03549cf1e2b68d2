from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ccf_operator.api.volume_facts import VolumeFacts, read_facts
from ccf_operator.ccf.identity import key_fingerprint
from ccf_operator.stage.exploration import explore
from unit.stage.volumes import LEDGERS, UID, fingerprints, plan_json, put_ledger


def facts(volume: Path) -> VolumeFacts:
    found = read_facts(json.dumps(explore(volume)["facts"]))
    assert found is not None
    return found


def test_a_node_s_ledger_tells_whose_it_is_and_nothing_is_changed(tmp_path: Path) -> None:
    put_ledger(tmp_path, 0, "damaged/intact")
    before = fingerprints(tmp_path)
    found = facts(tmp_path)
    assert (found.lineage, found.next_generation, found.recovery_count) == ([0], 1, 0)
    assert found.network_uid == UID
    assert found.service_key == key_fingerprint((LEDGERS / "damaged/previous_service_cert.pem").read_text())
    assert key_fingerprint(found.service_certificate) == found.service_key
    assert fingerprints(tmp_path) == before


@pytest.mark.parametrize("node", ["lagging/n2", "divergent/n0", "divergent/n1"])
def test_a_ledger_that_another_hand_put_there_needs_no_manifest(tmp_path: Path, node: str) -> None:
    shutil.copytree(LEDGERS / node / "ledger", tmp_path / "gen-0" / "ledger")
    found = facts(tmp_path)
    assert found.network_uid is None
    assert found.service_key == key_fingerprint((LEDGERS / Path(node).parent / "previous_service_cert.pem").read_text())


def test_later_generations_that_came_to_nothing_are_passed_over(tmp_path: Path) -> None:
    put_ledger(tmp_path, 0, "damaged/intact")
    for number in (1, 3):
        (tmp_path / f"gen-{number}" / "ledger").mkdir(parents=True)
    (tmp_path / "gen-4").mkdir()
    (tmp_path / "lost+found").mkdir()
    found = facts(tmp_path)
    assert (found.lineage, found.next_generation) == ([0], 5)
    assert len(explore(tmp_path)["problems"]) == 3


def test_a_winner_s_generation_counts_with_its_ancestors(tmp_path: Path) -> None:
    put_ledger(tmp_path, 0, "damaged/intact")
    tail = tmp_path / "gen-2" / "ledger"
    tail.mkdir(parents=True)
    (tmp_path / "gen-0" / "ledger" / "ledger_168").rename(tail / "ledger_168")
    (tmp_path / "gen-2" / "manifest.json").write_text(json.dumps(plan_json(2, "Recover", [0])))
    assert facts(tmp_path).lineage == [0, 2]


def test_a_volume_without_a_ledger_shows_nothing(tmp_path: Path) -> None:
    nobody: dict[str, list[object]] = {"networks": [], "volumes": [], "generations": []}
    assert explore(tmp_path) == {"facts": None, "manifests": nobody, "problems": ["no generation of any ledger"]}
    (tmp_path / "gen-0" / "ledger").mkdir(parents=True)
    assert explore(tmp_path)["facts"] is None
