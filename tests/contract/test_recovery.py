"""Disaster recovery from end to end, and the ways it can end (CCF facts §8)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from ccf_operator.ccf import governance
from ccf_operator.ccf.governance import GovernanceError
from contract.sandbox import FIXTURES, RunningNode, Sandbox, until
from simulator.exits import ABORT
from simulator.faults import Faults

APP = FIXTURES / "app"


async def lost_service(sandbox: Sandbox) -> tuple[RunningNode, str]:
    """The remains of an open one-node service with a journal entry, and its certificate."""
    node = await sandbox.start("n0")
    await sandbox.activate(node)
    await sandbox.open(node)
    await until(lambda: answers(node, "/node/ready/app", 204))
    bundle = json.loads((APP / "bundle.json").read_text())
    modules = {one["name"]: (APP / one["file"]).read_text() for one in bundle["modules"]}
    await sandbox.propose(node, governance.set_js_app(bundle["metadata"], modules))
    await write(sandbox, node, "before", "the loss")
    await sandbox.propose(node, governance.trigger_ledger_chunk())
    await until(lambda: chunks(node, 2))
    certificate = await node.service_certificate()
    node.node.kill()
    return node, certificate


async def write(sandbox: Sandbox, node: RunningNode, key: str, value: str) -> str:
    """Write to the journal and wait for the commit."""
    body = {"key": key, "value": value}
    answer = await node.ask("/app/journal", interface="primary", method="POST", json=body)
    assert answer.status_code == 200, answer.text
    txid = answer.headers["x-ms-ccf-transaction-id"]
    async with await sandbox.client(node) as client:
        await client.wait_for_commit(txid)
    return str(txid)


async def chunks(node: RunningNode, count: int) -> bool:
    return len(list(node.ledger.glob("*.committed"))) == count


async def read(node: RunningNode, key: str) -> str:
    answer = await node.get(f"/app/journal?key={key}", interface="primary")
    return str(answer["value"])


async def answers(node: RunningNode, path: str, status: int) -> bool:
    return await node.status(path) == status


async def opened(nodes: Sequence[RunningNode]) -> None:
    for one in nodes:
        await until(lambda one=one: answers(one, "/node/ready/app", 204))  # type: ignore[misc]


async def recovering(sandbox: Sandbox, old: RunningNode, previous: str, joiners: int) -> list[RunningNode]:
    """A recovered service with its joiners, waiting for shares; the winner first."""
    winner = await sandbox.recover("r0", previous, ledger=old.ledger)
    await sandbox.serving(winner)
    nodes = [winner]
    for number in range(joiners):
        joiner = await sandbox.join(f"j{number}", winner)
        await sandbox.serving(joiner)
        nodes.append(joiner)
    await sandbox.open(winner, previous=previous)
    return nodes


async def decrypts(node: RunningNode) -> bool:
    return await node.state() == "ReadingPrivateLedger"


async def status(node: RunningNode) -> str:
    return str((await node.get("/node/network"))["service_status"])


async def test_what_was_written_before_the_loss_is_read_after_it(sandbox: Sandbox) -> None:
    old, previous = await lost_service(sandbox)
    nodes = await recovering(sandbox, old, previous, joiners=2)
    await sandbox.submit_shares(nodes[0])
    await opened(nodes)
    assert [await read(one, "before") for one in nodes] == ["the loss"] * 3
    await write(sandbox, nodes[1], "after", "the recovery")
    assert await read(nodes[0], "after") == "the recovery"
    network = await nodes[2].get("/node/network")
    assert (network["service_status"], network["recovery_count"]) == ("Open", 1)

    async def renamed() -> bool:
        return not [path for one in nodes for path in one.ledger.glob("*.recovery")]

    await until(renamed)


async def test_receipts_and_statuses_reach_back_over_two_recoveries(sandbox: Sandbox) -> None:
    old, previous = await lost_service(sandbox)
    ancestors = [old.ledger]
    history = ["2.2"]
    for attempt in ("a", "b"):
        node = await sandbox.recover(f"r{attempt}", previous, ledger=tail(sandbox, ancestors), read_only=ancestors)
        await sandbox.serving(node)
        await sandbox.open(node, previous=previous)
        await sandbox.submit_shares(node)
        await opened([node])
        history.append(await write(sandbox, node, attempt, attempt))
        for txid in history:
            assert (await node.get(f"/node/tx?transaction_id={txid}"))["status"] == "Committed"
            assert (await node.ask(f"/node/receipt?transaction_id={txid}")).status_code == 200
        assert await read(node, "before") == "the loss"
        previous = await node.service_certificate()
        node.node.kill()
        ancestors.append(node.ledger)
    assert [path.name for path in old.ledger.iterdir() if "recovery" in path.name or "ignored" in path.name] == []


def tail(sandbox: Sandbox, ancestors: Sequence[Path]) -> Path:
    """A directory with what the newest ancestor holds beyond its committed chunks, as `stage` copies it."""
    directory = sandbox.root / f"tail-{len(ancestors)}"
    directory.mkdir()
    for path in ancestors[-1].iterdir():
        if not path.name.endswith((".committed", ".ignored")):
            (directory / path.name.removesuffix(".recovery")).write_bytes(path.read_bytes())
    return directory


async def test_the_old_values_are_shown_while_the_public_ledger_is_read(sandbox: Sandbox) -> None:
    """CCF facts §0.4: never read the service's status without the node's state."""
    old, previous = await lost_service(sandbox)
    slow = Faults(replay_delay=0.5)
    node = await sandbox.recover("r0", previous, ledger=old.ledger, faults=slow)

    async def reading() -> bool:
        return await node.status("/node/network") == 200

    await until(reading)
    assert await node.state() == "ReadingPublicLedger"
    network = await node.get("/node/network")
    assert network["service_certificate"] == previous
    assert (network["current_view"], network["primary_id"]) == (None, None)
    assert await node.status("/node/consensus") == 404
    assert await node.status("/node/ready/gov") == 503


async def test_private_recovery_shows_its_progress_and_takes_no_writes(sandbox: Sandbox) -> None:
    old, previous = await lost_service(sandbox)
    node = await sandbox.recover("r0", previous, ledger=old.ledger, faults=Faults(private_delay=1.0))
    await sandbox.serving(node)
    await sandbox.open(node, previous=previous)
    await sandbox.submit_shares(node)
    await until(lambda: decrypts(node))
    state = await node.get("/node/state")
    assert state["recovery_target_seqno"] >= state["last_recovered_seqno"]
    async with await sandbox.client(node) as client:
        with pytest.raises(GovernanceError) as refused:
            await client.propose(sandbox.members[0], [governance.trigger_ledger_chunk()])
    assert refused.value.status == 503
    node.node.faults = Faults()
    await opened([node])


async def test_shares_before_the_members_accept_are_refused(sandbox: Sandbox) -> None:
    old, previous = await lost_service(sandbox)
    winner = await sandbox.recover("r0", previous, ledger=old.ledger)
    await sandbox.serving(winner)
    with pytest.raises(GovernanceError) as refused:
        await sandbox.submit_shares(winner)
    assert (refused.value.status, refused.value.code) == (403, "ServiceNotWaitingForRecoveryShares")


async def test_the_wrong_previous_identity_fails_at_the_proposal(sandbox: Sandbox) -> None:
    old, previous = await lost_service(sandbox)
    winner = await sandbox.recover("r0", previous, ledger=old.ledger)
    await sandbox.serving(winner)
    with pytest.raises(GovernanceError) as refused:
        await sandbox.open(winner, previous=await winner.service_certificate())
    assert refused.value.status == 500
    assert await status(winner) == "Recovering"


async def test_a_joiner_after_the_members_accepted_is_pending(sandbox: Sandbox) -> None:
    old, previous = await lost_service(sandbox)
    (winner,) = await recovering(sandbox, old, previous, joiners=0)
    late = await sandbox.join("late", winner)

    async def pending() -> bool:
        rows = (await winner.get("/node/network/nodes?status=Pending"))["nodes"]
        return [one["node_id"] for one in rows] == [late.node.node_id]

    await until(pending)
    assert await late.state() == "Pending"


async def test_the_winner_killed_at_once_after_the_last_share(sandbox: Sandbox) -> None:
    """CCF facts §8.8: the joiners elect, and the same share again opens the service."""
    old, previous = await lost_service(sandbox)
    winner, *joiners = await recovering(sandbox, old, previous, joiners=2)
    with winner.without_signatures():
        await sandbox.submit_shares(winner)
        winner.node.kill()
    leader = await elected(joiners)
    assert [await one.state() for one in joiners] == ["PartOfPublicNetwork"] * 2
    assert await status(leader) == "WaitingForRecoveryShares"
    await sandbox.submit_shares(leader)
    await opened(joiners)
    assert await read(joiners[0], "before") == "the loss"


async def test_the_winner_killed_before_its_opening_is_signed_leaves_a_dead_end(sandbox: Sandbox) -> None:
    """CCF facts §8.8: both joiners are PartOfNetwork, the service waits for shares for good."""
    old, previous = await lost_service(sandbox)
    winner, *joiners = await recovering(sandbox, old, previous, joiners=2)

    async def looks_open() -> bool:
        seen = [await status(one) for one in joiners]
        states = [await one.state() for one in (winner, *joiners)]
        return seen == ["Open"] * 2 and states == ["PartOfNetwork"] * 3

    winner.node.faults = Faults(private_delay=1.0)
    await sandbox.submit_shares(winner)
    await until(lambda: decrypts(winner))
    with winner.without_signatures():
        winner.node.faults = Faults()
        await until(looks_open)
        assert [await one.status("/node/ready/app") for one in joiners] == [503, 503]
        winner.node.kill()
    leader = await elected(joiners)
    assert [await status(one) for one in joiners] == ["WaitingForRecoveryShares"] * 2
    assert [await one.state() for one in joiners] == ["PartOfNetwork"] * 2
    with pytest.raises(GovernanceError) as refused:
        await sandbox.submit_shares(leader)
    assert refused.value.status == 500
    assert "Failed to initiate private recovery" in str(refused.value)


async def test_a_corrupt_committed_chunk_ends_in_private_recovery(sandbox: Sandbox) -> None:
    """CCF facts §4.6: it looks successful until the private ledger is read, then the node aborts."""
    sandbox.signature_delay = 0.05
    old, previous = await lost_service(sandbox)
    chunk = max(old.ledger.glob("*.committed"), key=lambda path: path.stat().st_mtime)
    damaged = bytearray(chunk.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    chunk.write_bytes(damaged)
    (winner,) = await recovering(sandbox, old, previous, joiners=0)
    await sandbox.submit_shares(winner)
    ended = await winner.node.wait()
    assert ended.code == ABORT
    assert "Private recovery did not reach public ledger seqno" in ended.reason


async def elected(nodes: Sequence[RunningNode]) -> RunningNode:
    found: list[RunningNode] = []

    async def agreed() -> bool:
        primaries = [(await one.get("/node/network"))["primary_id"] for one in nodes]
        found[:] = [one for one in nodes if one.node.node_id == primaries[0]]
        return bool(found) and len(set(primaries)) == 1

    await until(agreed)
    return found[0]
