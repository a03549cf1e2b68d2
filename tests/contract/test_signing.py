"""What the operator's member hears from a service that cannot take its message now."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from ccf_operator.domain.effects import AcknowledgeState
from ccf_operator.reconcile.signing_member import NotSigned, Recipient, SigningMember
from ccf_operator.render import names
from contract.sandbox import RunningNode, Sandbox, until
from members import generate_operator_member

OPERATOR = generate_operator_member("operator")
DATA = {"tls.crt": OPERATOR.certificate_pem, "tls.key": OPERATOR.key_pem}


async def read(*_: str) -> dict[str, Any]:
    return {"data": {name: base64.b64encode(text.encode()).decode() for name, text in DATA.items()}}


async def right() -> None:
    """Nothing has changed since."""


async def signed(signing: SigningMember, node: RunningNode) -> str:
    """What became of an acknowledgement; or why it was not signed."""
    recipient = Recipient(node.host, node.node.node_id, await node.service_certificate())
    message = AcknowledgeState(node.name, OPERATOR.member_id, "token")
    try:
        return await signing.sign(message, "ns", "secret", recipient, right)
    except NotSigned as error:
        return str(error)


def where_operators_ask(host: str) -> dict[str, Any]:
    node = {"endorsement": {"authority": "Node"}}
    return {
        "rpc_interfaces": {
            "primary": {"bind_address": f"{host}:8080"},
            "operator": {"bind_address": f"{host}:{names.OPERATOR_PORT}", **node},
        }
    }


async def test_a_service_without_a_primary_has_refused_nothing(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, members=[OPERATOR], threshold=0)
    hosts = [sandbox.new_host(), sandbox.new_host()]
    signing = SigningMember(read)
    try:
        first = await sandbox.start("n0", host=hosts[0], network=where_operators_ask(hosts[0]))
        await sandbox.serving(first)
        backup = await sandbox.join("n1", first, host=hosts[1], network=where_operators_ask(hosts[1]))
        await sandbox.serving(backup)
        assert await signed(signing, backup) == "acknowledged"
        first.node.kill()

        async def alone() -> bool:
            return (await backup.get("/node/network"))["primary_id"] is None

        await until(alone)
        assert "503" in await signed(signing, backup)
        assert (await signing.see("ns", "secret")).refused == {}
    finally:
        await sandbox.close()
