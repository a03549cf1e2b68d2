"""`Recover` on ledgers that real nodes wrote ends as `facts.json` says real nodes ended on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contract.sandbox import FIXTURES, Sandbox, until
from simulator.exits import ABORT, NodeExit

LEDGERS = FIXTURES / "ledgers"
FACTS = {
    f"{group}/{name}": expected
    for group in ("damaged", "divergent", "lagging")
    for name, expected in json.loads((LEDGERS / group / "facts.json").read_text())["recovered"].items()
}
READABLE = {name: facts for name, facts in FACTS.items() if "node_process" not in facts}
UNREADABLE = {name: facts for name, facts in FACTS.items() if "node_process" in facts}


def _previous(name: str) -> str:
    return (LEDGERS / name.split("/")[0] / "previous_service_cert.pem").read_text()


def _ledger(name: str) -> Path | None:
    path = LEDGERS / name / "ledger"
    return path if path.exists() else None


@pytest.mark.parametrize("name", READABLE)
async def test_recovers_what_a_real_node_recovered(sandbox: Sandbox, name: str) -> None:
    facts: dict[str, Any] = READABLE[name]
    node = await sandbox.recover("r0", _previous(name), ledger=_ledger(name))

    async def recovered() -> bool:
        return await node.state() == "PartOfPublicNetwork"

    await until(recovered)
    await sandbox.serving(node)
    network = await node.get("/node/network")
    assert network["current_service_create_txid"] == facts["current_service_create_txid"]
    assert network["service_status"] == "Recovering"
    assert network["recovery_count"] == 1
    configuration = await node.get("/node/service/configuration")
    assert configuration["recovery_threshold"] == facts["recovery_threshold"]
    previous = await node.get("/node/service/previous_identity")
    assert previous["previous_service_identity"] == _previous(name)


@pytest.mark.parametrize("name", UNREADABLE)
async def test_aborts_where_a_real_node_aborted(sandbox: Sandbox, name: str) -> None:
    try:
        node = await sandbox.recover("r0", _previous(name), ledger=_ledger(name))
        ended = await node.node.wait()
    except NodeExit as early:
        ended = early
    assert UNREADABLE[name] == {"node_process": "EXIT -6"}
    assert ended.code == ABORT


async def test_a_corrupt_chunk_shows_in_the_name_of_the_new_one(sandbox: Sandbox) -> None:
    """CCF facts §4.6: the host's ledger is not cut, so the new chunk is not named after the create transaction."""
    name = "damaged/committed-chunk-bits-flipped"
    node = await sandbox.recover("r0", _previous(name), ledger=_ledger(name))
    await sandbox.serving(node)
    create = READABLE[name]["current_service_create_txid"].partition(".")[2]
    names = [one.name for one in node.ledger.iterdir() if one.name.endswith(".recovery")]
    assert names
    assert f"ledger_{create}.recovery" not in names


async def test_a_sound_ledger_goes_on_in_a_chunk_named_after_the_create_transaction(sandbox: Sandbox) -> None:
    node = await sandbox.recover("r0", _previous("damaged/intact"), ledger=_ledger("damaged/intact"))
    await sandbox.serving(node)
    assert "ledger_184.recovery" in [one.name for one in node.ledger.iterdir()]
