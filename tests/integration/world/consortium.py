"""The members, and a client, of a network whose pods run in this process."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ccf_operator.ccf import governance
from ccf_operator.ccf.governance import GovernanceClient
from members import GeneratedMember
from simulator.node import SimulatedNode

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures/ccf"
FILES = ("validate.js", "apply.js", "resolve.js", "actions.js")


ELECTION_SECONDS = 30.0
"""Time within which there is a primary again, on a machine on which much else runs."""


@dataclass(frozen=True)
class Written:
    """An entry of the journal that was reported as committed."""

    key: str
    value: str
    tx_id: str


@dataclass
class Consortium:
    """Talks to one node at a time, over TLS that proves the service."""

    members: Sequence[GeneratedMember]
    operator: GeneratedMember | None = None
    """A member that has no share, in whose name the operator may act; it is not one of `members`."""
    constitution: Mapping[str, str] = field(default_factory=lambda: _constitution())
    committed: list[Written] = field(default_factory=list)

    def config_maps(self, network: str) -> list[dict[str, Any]]:
        """What the manifest of a network refers to."""
        everybody = [*self.members, *([self.operator] if self.operator is not None else [])]
        held = {f"{member.name}_cert.pem": member.certificate_pem for member in everybody}
        keys = {f"{member.name}_enc_pubk.pem": member.encryption_public_key_pem for member in self.members}
        return [
            {"metadata": {"name": f"{network}-members"}, "data": {**held, **keys}},
            {"metadata": {"name": f"{network}-constitution"}, "data": dict(self.constitution)},
        ]

    async def open(self, node: SimulatedNode, certificate: str) -> None:
        """Open a new service and install the journal."""
        bundle = json.loads((FIXTURES / "app/bundle.json").read_text())
        modules = {one["name"]: (FIXTURES / "app" / one["file"]).read_text() for one in bundle["modules"]}
        async with self.client(node, certificate) as client:
            for member in self.members:
                await client.activate(member)
            actions = [
                governance.set_js_app(bundle["metadata"], modules),
                governance.transition_service_to_open(certificate),
            ]
            await client.pass_proposal(self.members, actions)

    async def accept_recovery(self, node: SimulatedNode, certificate: str) -> None:
        """Accept a recovered service and submit shares."""
        async with self.client(node, certificate) as client:
            previous = (await client.get("/node/service/previous_identity"))["previous_service_identity"]
            opening = governance.transition_service_to_open(certificate, previous)
            await client.pass_proposal(self.members, [opening])
            for member in self.members:
                if (await client.submit_share(member)).complete:
                    return

    async def write(self, node: SimulatedNode, certificate: str) -> Written:
        """Write an entry of the journal and wait until it is committed.

        While the nodes elect a primary, as they may at any time on a machine that is busy, a write is refused and
        nothing of it is done: then it is sent again, as clients of CCF do.
        """
        key = f"entry-{len(self.committed)}"
        async with asyncio.timeout(ELECTION_SECONDS):
            while _has_no_primary(answer := await self._post(node, certificate, key)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # the election itself is under way in the nodes
        assert answer.status_code == 200, answer.text
        written = Written(key, f"of {key}", answer.headers["x-ms-ccf-transaction-id"])
        async with self.client(node, certificate) as client:
            await client.wait_for_commit(written.tx_id)
        self.committed.append(written)
        return written

    async def _post(self, node: SimulatedNode, certificate: str, key: str) -> httpx.Response:
        return await self._ask(node, certificate, "POST", "/app/journal", {"key": key, "value": f"of {key}"})

    async def missing(self, node: SimulatedNode, certificate: str) -> list[Written]:
        """Entries that were committed and are not any more, or do not read back."""
        lost = []
        for entry in self.committed:
            status = await self._ask(node, certificate, "GET", f"/node/tx?transaction_id={entry.tx_id}")
            found = await self._ask(node, certificate, "GET", f"/app/journal?key={entry.key}")
            if status.json()["status"] != "Committed" or found.json().get("value") != entry.value:
                lost.append(entry)
        return lost

    def client(self, node: SimulatedNode, certificate: str) -> GovernanceClient:
        return GovernanceClient(node.address("client"), certificate, server_name=_name(node), poll_interval=0.02)

    async def _ask(
        self, node: SimulatedNode, certificate: str, method: str, path: str, body: object = None
    ) -> httpx.Response:
        tls = ssl.create_default_context(cadata=certificate)
        async with httpx.AsyncClient(verify=tls, trust_env=False, timeout=10) as http:
            url = f"https://{node.address('client')}{path}"
            return await http.request(method, url, json=body, extensions={"sni_hostname": _name(node)})


def _constitution() -> dict[str, str]:
    return {name: (FIXTURES / "constitution" / name).read_text() for name in FILES}


def _name(node: SimulatedNode) -> str:
    """The name that a node is published under, which its certificate bears."""
    return node.config.interfaces["client"].published.rpartition(":")[0]


def _has_no_primary(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and "unknown primary" in answer.json()["error"]["message"]
