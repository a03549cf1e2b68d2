"""What a `Recover` node makes of a ledger, held against what real CCF nodes made of the same ledgers."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from simulator.kv import Store, TxID
from simulator.ledger import LedgerDirectory, LedgerError
from simulator.ledger_crypto import LedgerSecrets
from simulator.ledger_replay import PublicReplay, RecoveredPoint, replay_public

LEDGERS = Path(__file__).parents[2] / "fixtures" / "ccf" / "ledgers"


RECORDED = [
    pytest.param(facts.parent / name / "ledger", outcome, id=f"{facts.parent.name}/{name}")
    for facts in sorted(LEDGERS.glob("*/facts.json"))
    for name, outcome in json.loads(facts.read_text())["recovered"].items()
]


def copied(source: Path, tmp_path: Path) -> Path:
    target = tmp_path / "ledger"
    if source.exists():
        shutil.copytree(source, target)
    return target


def recover(directory: Path) -> tuple[RecoveredPoint, LedgerDirectory, Store]:
    ledger = LedgerDirectory(directory)
    store = Store(LedgerSecrets())
    return replay_public(ledger, store), ledger, store


@pytest.mark.parametrize(("source", "outcome"), RECORDED)
def test_recovers_what_a_real_node_recovered(source: Path, outcome: dict[str, Any], tmp_path: Path) -> None:
    directory = copied(source, tmp_path)
    if "node_process" in outcome:
        with pytest.raises(LedgerError):
            recover(directory)
        return
    point, _, store = recover(directory)
    create = TxID.parse(outcome["current_service_create_txid"])
    assert point.create == create
    assert store.current == point.last_signed == TxID(create.view - 2, create.seqno - 1)
    config = store.begin().get("public:ccf.gov.service.config", bytes(8))
    assert config is not None
    assert json.loads(config)["recovery_threshold"] == outcome["recovery_threshold"]


def test_a_replay_tells_of_every_entry_batch_by_batch(tmp_path: Path) -> None:
    seen: list[int] = []
    ledger = LedgerDirectory(copied(LEDGERS / "lagging/n0/ledger", tmp_path))
    replay = PublicReplay(ledger, Store(LedgerSecrets()), on_applied=lambda applied: seen.append(applied.txid.seqno))
    assert replay.step()
    assert seen == list(range(1, 101))
    while replay.step():
        pass
    assert seen == list(range(1, ledger.last + 1))
    assert replay.finish().last_signed == TxID(2, 128)
