"""Joining: who is taken in, who waits, who ends (CCF facts §7.1)."""

from __future__ import annotations

import time

import pytest

from ccf_operator.ccf import governance
from contract.sandbox import RunningNode, Sandbox, until
from simulator.exits import ABORT


async def _opened(sandbox: Sandbox) -> RunningNode:
    node = await sandbox.start()
    await sandbox.activate(node)
    await sandbox.open(node)
    return node


async def _pending(joiner: RunningNode, service: RunningNode) -> bool:
    rows = (await service.get("/node/network/nodes?status=Pending"))["nodes"]
    return joiner.node.node_id in [one["node_id"] for one in rows]


async def test_a_joiner_of_an_opening_service_is_trusted_at_once(sandbox: Sandbox) -> None:
    first = await sandbox.start()
    await sandbox.serving(first)
    joiner = await sandbox.join("n1", first)
    await sandbox.serving(joiner)
    row = await joiner.get("/node/network/nodes/self")
    assert row["status"] == "Trusted"
    assert await joiner.state() == "PartOfNetwork"


async def test_a_joiner_of_an_open_service_waits_for_the_members(sandbox: Sandbox) -> None:
    first = await _opened(sandbox)
    joiner = await sandbox.join("n1", first)
    await until(lambda: _pending(joiner, first))
    assert await joiner.state() == "Pending"
    await sandbox.propose(
        first, governance.transition_node_to_trusted(joiner.node.node_id, governance.certificate_time(time.time()))
    )
    await sandbox.serving(joiner)
    assert len((await first.get("/node/consensus"))["details"]["configs"][0]["nodes"]) == 2


async def test_a_joiner_of_an_address_that_is_taken_aborts(sandbox: Sandbox) -> None:
    first = await _opened(sandbox)
    ghost = await sandbox.join("ghost", first)
    await until(lambda: _pending(ghost, first))
    ghost.node.kill()
    again = await sandbox.join("n1", first, host=ghost.host)
    ended = await again.node.wait()
    assert ended.code == ABORT
    assert "NodeAlreadyExists" in ended.reason


async def test_a_pending_node_whose_row_is_removed_may_be_followed_on_its_address(sandbox: Sandbox) -> None:
    first = await _opened(sandbox)
    ghost = await sandbox.join("ghost", first)
    await until(lambda: _pending(ghost, first))
    ghost.node.kill()
    await sandbox.propose(first, governance.remove_node(ghost.node.node_id))
    again = await sandbox.join("n1", first, host=ghost.host)
    await until(lambda: _pending(again, first))


async def test_a_joiner_with_another_services_certificate_aborts(sandbox: Sandbox) -> None:
    first, other = await sandbox.start("n0"), await sandbox.start("other")
    await sandbox.serving(first)
    joiner = await sandbox.join("n1", first, trusting=other)
    assert (await joiner.node.wait()).code == ABORT


async def test_a_joiner_that_asks_a_node_endorsed_interface_aborts(sandbox: Sandbox) -> None:
    first = await sandbox.start()
    await sandbox.serving(first)
    joiner = await sandbox.join("n1", first, interface="operator")
    assert (await joiner.node.wait()).code == ABORT


async def test_a_joiner_waits_for_a_target_that_does_not_serve_yet(sandbox: Sandbox) -> None:
    first = await sandbox.start()
    with first.without_signatures():  # its certificate is not committed
        joiner = await sandbox.join("n1", first)
        assert await joiner.state() == "Pending"
    await sandbox.serving(joiner)


async def test_a_backup_sends_the_joiner_on_to_the_primary(sandbox: Sandbox) -> None:
    first = await sandbox.start()
    await sandbox.serving(first)
    backup = await sandbox.join("n1", first)
    await sandbox.serving(backup)
    third = await sandbox.join("n2", backup)
    await sandbox.serving(third)
    assert len((await first.get("/node/consensus"))["details"]["acks"]) == 2


async def test_other_code_is_refused(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    from simulator import quote

    first = await sandbox.start()
    await sandbox.serving(first)
    monkeypatch.setenv("CCF_SIM_HOST_DATA", "ab" * 32)
    quote.host_data.cache_clear()
    try:
        joiner = await sandbox.join("n1", first)
        ended = await joiner.node.wait()
    finally:
        monkeypatch.undo()
        quote.host_data.cache_clear()
    assert ended.code == ABORT
    assert "Quote host data is not authorised" in ended.reason
