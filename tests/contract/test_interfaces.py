"""What an interface serves, forwards and redirects (CCF facts §1, §3)."""

from __future__ import annotations

from typing import Any

import pytest

from contract.sandbox import RunningNode, Sandbox, until

PROPOSAL = "/gov/members/proposals:create?api-version=2024-07-01"
TO_PRIMARY = {"redirections": {"to_primary": {"kind": "NodeByRole", "target": {"role": "primary"}}}}


def interfaces(host: str, **more: Any) -> dict[str, Any]:
    return {
        "rpc_interfaces": {
            "primary": {"bind_address": f"{host}:8080", **more},
            "operator": {"bind_address": f"{host}:8082", "endorsement": {"authority": "Node"}},
        }
    }


async def pair(sandbox: Sandbox, **more: Any) -> list[RunningNode]:
    hosts = [sandbox.new_host(), sandbox.new_host()]
    first = await sandbox.start("n0", host=hosts[0], network=interfaces(hosts[0], **more))
    await sandbox.serving(first)
    second = await sandbox.join("n1", first, host=hosts[1], network=interfaces(hosts[1], **more))
    await sandbox.serving(second)
    return [first, second]


async def test_a_backup_with_redirections_names_the_primary(sandbox: Sandbox) -> None:
    first, backup = await pair(sandbox, **TO_PRIMARY)
    answer = await backup.ask(PROPOSAL, interface="primary", method="POST", content=b"")
    assert answer.status_code == 307
    assert answer.headers["location"] == f"https://{first.node.address('primary')}{PROPOSAL}"


async def test_a_backup_with_redirections_and_no_primary(sandbox: Sandbox) -> None:
    first, backup = await pair(sandbox, **TO_PRIMARY)
    first.node.kill()

    async def alone() -> bool:
        return (await backup.get("/node/network"))["primary_id"] is None

    await until(alone)
    answer = await backup.ask(PROPOSAL, interface="primary", method="POST", content=b"")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "PrimaryNotFound")


async def test_only_accepted_endpoints_are_served(sandbox: Sandbox) -> None:
    first, _ = await pair(sandbox, accepted_endpoints=["/node/join", "/node/st.*"])
    assert (await first.ask("/node/state", interface="primary")).status_code == 200
    assert (await first.ask("/node/network", interface="primary")).status_code == 503


async def test_an_unsecured_interface_needs_no_tls(sandbox: Sandbox) -> None:
    import httpx

    host = sandbox.new_host()
    network = interfaces(host)
    network["rpc_interfaces"]["plain"] = {
        "bind_address": f"{host}:8083",
        "endorsement": {"authority": "Unsecured"},
        "accepted_endpoints": ["/node/version"],
    }
    await sandbox.start(host=host, network=network)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"http://{host}:8083/node/version")).json()["ccf_version"].startswith("ccf-7")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/node/tx?transaction_id=x", 400, "InvalidQueryParameterValue"),
        ("GET", "/node/network/nodes?status=Dead", 400, "InvalidQueryParameterValue"),
        ("GET", "/node/network/nodes/abc", 404, "ResourceNotFound"),
        ("DELETE", "/node/network/nodes/abc", 404, "ResourceNotFound"),
        ("DELETE", "/node/network/nodes/{own}", 400, "NodeNotRetiredCommitted"),
        ("GET", "/node/nothing", 404, "ResourceNotFound"),
        ("POST", "/node/state", 405, "UnsupportedHttpVerb"),
        ("GET", "/app/journal", 404, "FrontendNotOpen"),
        ("GET", "/node/receipt?transaction_id=2.99", 404, "TransactionPendingOrUnknown"),
    ],
)
async def test_refusals(sandbox: Sandbox, method: str, path: str, status: int, code: str) -> None:
    node = await sandbox.start()
    await sandbox.serving(node)
    answer = await node.ask(path.replace("{own}", node.node.node_id), method=method)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_governance_is_closed_before_the_certificate_is_committed(sandbox: Sandbox) -> None:
    sandbox.signature_delay = 5
    node = await sandbox.start()
    answer = await node.ask("/gov/service/info?api-version=2024-07-01")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "FrontendNotOpen")
