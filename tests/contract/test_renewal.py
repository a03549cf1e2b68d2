"""Certificates are renewed and ledger secrets replaced by the members (CCF facts §6.4, §7.4)."""

from __future__ import annotations

import asyncio
import ssl
import time

import pytest
from cryptography import x509

from ccf_operator.ccf import governance
from contract.sandbox import RunningNode, Sandbox, until
from simulator import identity


async def _two(sandbox: Sandbox) -> list[RunningNode]:
    """An open service of two nodes."""
    first = await sandbox.start("n0")
    await sandbox.serving(first)
    second = await sandbox.join("n1", first)
    await sandbox.serving(second)
    await sandbox.activate(first)
    await sandbox.open(first)
    return [first, second]


async def _shown(node: RunningNode, interface: str) -> str:
    host, _, port = node.node.address(interface).rpartition(":")
    return await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))


def _days(pem: str) -> int:
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return round((certificate.not_valid_after_utc - certificate.not_valid_before_utc).total_seconds() / 86400)


async def test_the_renewed_service_certificate_has_the_same_key(sandbox: Sandbox) -> None:
    nodes = await _two(sandbox)
    before = await nodes[0].service_certificate()
    now = governance.certificate_time(time.time())
    await sandbox.propose(nodes[0], governance.set_service_certificate_validity(now, 200))
    after = await nodes[0].service_certificate()
    assert after != before
    assert _days(after) == 200
    assert identity.certificate_key(after) == identity.certificate_key(before)

    async def everywhere() -> bool:
        return await nodes[1].service_certificate() == after

    await until(everywhere)


async def test_renewed_node_certificates_are_shown_on_every_interface(sandbox: Sandbox) -> None:
    nodes = await _two(sandbox)
    now = governance.certificate_time(time.time())
    await sandbox.propose(nodes[0], governance.set_all_nodes_certificate_validity(now, 100))

    async def renewed() -> bool:
        shown = [await _shown(node, interface) for node in nodes for interface in ("primary", "operator")]
        return {_days(one) for one in shown} == {100}

    await until(renewed)
    answer = await nodes[0].get("/node/self_signed_certificate")
    assert _days(answer["self_signed_certificate"]) == 100


async def test_the_longest_validity_is_the_configured_one(sandbox: Sandbox) -> None:
    nodes = await _two(sandbox)
    now = governance.certificate_time(time.time())
    async with await sandbox.client(nodes[0]) as client:
        proposed = await client.propose(sandbox.members[0], [governance.set_all_nodes_certificate_validity(now, 5000)])
        with pytest.raises(governance.GovernanceError) as refused:
            await client.vote(sandbox.members[0], proposed.proposal_id)
    assert refused.value.status == 500


async def test_after_a_rekey_nodes_go_on_join_and_recover(sandbox: Sandbox) -> None:
    nodes = await _two(sandbox)
    await sandbox.propose(nodes[0], governance.trigger_ledger_rekey())
    await sandbox.propose(nodes[0], governance.trigger_ledger_chunk())
    third = await sandbox.join("n2", nodes[0])

    async def pending() -> bool:
        return len((await nodes[0].get("/node/network/nodes?status=Pending"))["nodes"]) == 1

    await until(pending)
    now = governance.certificate_time(time.time())
    await sandbox.propose(nodes[0], governance.transition_node_to_trusted(third.node.node_id, now))
    await sandbox.serving(third)
    assert dict(third.node.replica.secrets.items()) == dict(nodes[0].node.replica.secrets.items())
    assert len(dict(third.node.replica.secrets.items())) == 2

    await until(lambda: third.caught_up_with(nodes[0]))
    previous = await third.service_certificate()
    for one in (*nodes, third):
        one.node.kill()
    winner = await sandbox.recover("r0", previous, ledger=third.ledger)
    await sandbox.serving(winner)
    await sandbox.open(winner, previous=previous)
    await sandbox.submit_shares(winner)

    async def ready() -> bool:
        return await winner.status("/node/ready/app") == 204

    await until(ready)
    assert len(dict(winner.node.replica.secrets.items())) == 3
