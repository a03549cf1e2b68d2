"""The members of the consortium at work: they hold keys that nobody else sees."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx

from ccf_operator.ccf import governance
from ccf_operator.ccf.governance import Action, GovernanceClient, GovernanceError
from e2e.harness.kubectl import Kubectl, Object
from e2e.harness.reach import Reach
from e2e.harness.waiting import eventually
from members import GeneratedMember, generate_member

CLIENT_PORT, OPERATOR_PORT = 8080, 8443
FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures" / "ccf"
CONSTITUTION_FILES = ("validate.js", "apply.js", "resolve.js", "actions.js")

T = TypeVar("T")


X509_V_FLAG_NO_CHECK_TIME = 0x200000


def by_the_clock(service_certificate: str) -> ssl.SSLContext:
    """Trusts what the service has certified, while it is valid."""
    return ssl.create_default_context(cadata=service_certificate)


def by_the_key(service_certificate: str) -> ssl.SSLContext:
    """Trusts what the service has certified, however long ago that ended."""
    context = by_the_clock(service_certificate)
    context.verify_flags |= ssl.VerifyFlags(X509_V_FLAG_NO_CHECK_TIME)
    return context


@dataclass(frozen=True)
class Door:
    """One node's client interface: where it is, what it is called, and the service certificate it must prove."""

    kubectl: Kubectl
    reach: Reach
    pod: str
    server_name: str
    service_certificate: str
    trust: Callable[[str], ssl.SSLContext] = field(default=by_the_clock)

    def at_any_time(self) -> Door:
        """The same for people who also use certificates that have run out."""
        return replace(self, trust=by_the_key)

    def ask(self, talk: Callable[[GovernanceClient], Awaitable[T]]) -> T:
        """Open a client to the node for one conversation."""

        async def conversation(address: str) -> T:
            transport = httpx.AsyncHTTPTransport(
                verify=self.trust(self.service_certificate), limits=httpx.Limits(max_keepalive_connections=0)
            )
            async with GovernanceClient(
                address, self.service_certificate, server_name=self.server_name, transport=transport
            ) as client:
                return await talk(client)

        with self.reach.to(self.kubectl, self.pod, CLIENT_PORT) as address:
            return asyncio.run(conversation(address))


@dataclass(frozen=True)
class Consortium:
    """Members by name, and how many shares a recovery takes."""

    threshold: int = 2
    members: Sequence[GeneratedMember] = field(
        default_factory=lambda: [generate_member(name) for name in ("alice", "bob", "carol")]
    )
    operator: GeneratedMember | None = None
    """A member without a share, in whose name the operator may propose; it is not one of `members`."""

    def config_maps(self, network: str) -> list[Object]:
        """The ConfigMaps that the manifest of a network refers to: certificates, and the constitution."""
        everybody = [*self.members, *([self.operator] if self.operator is not None else [])]
        certificates = {f"{m.name}_cert.pem": m.certificate_pem for m in everybody}
        keys = {f"{m.name}_enc_pubk.pem": m.encryption_public_key_pem for m in self.members}
        scripts = {name: (FIXTURES / "constitution" / name).read_text() for name in CONSTITUTION_FILES}
        return [
            _config_map(f"{network}-members", {**certificates, **{k: v for k, v in keys.items() if v is not None}}),
            _config_map(f"{network}-constitution", scripts),
        ]

    def references(self, network: str) -> dict[str, Any]:
        """The part of a network's spec that names them."""
        held = f"{network}-members"

        def kept(key: str) -> dict[str, Any]:
            return {"configMapKeyRef": {"name": held, "key": key}}

        def named(m: GeneratedMember, **rest: Any) -> dict[str, Any]:
            return {"name": m.name, "certificate": kept(f"{m.name}_cert.pem"), **rest}

        members = [named(m, encryptionPublicKey=kept(f"{m.name}_enc_pubk.pem")) for m in self.members]
        operator = [named(self.operator, data={"is_operator": True})] if self.operator is not None else []
        return {
            "members": [*members, *operator],
            "constitution": {"configMapRef": {"name": f"{network}-constitution"}, "files": list(CONSTITUTION_FILES)},
            "recoveryThreshold": self.threshold,
        }

    def activate(self, door: Door) -> None:
        """Every member acknowledges the state and becomes active."""

        async def acknowledge(client: GovernanceClient) -> None:
            for member in self.members:
                await client.activate(member)

        door.ask(acknowledge)

    def pass_actions(self, door: Door, actions: Sequence[Action]) -> None:
        """One member proposes, the members vote until it is accepted."""
        door.ask(lambda client: client.pass_proposal(self.members, actions))

    def open(self, door: Door) -> None:
        """Open a new service."""
        self.activate(door)
        self.pass_actions(door, [governance.transition_service_to_open(door.service_certificate)])

    def install_app(self, door: Door) -> None:
        """Install the journal application that the client uses."""
        import json

        bundle = json.loads((FIXTURES / "app" / "bundle.json").read_text())
        modules = {m["name"]: (FIXTURES / "app" / m["file"]).read_text() for m in bundle["modules"]}
        self.pass_actions(door, [governance.set_js_app(bundle["metadata"], modules)])

    def accept_recovery(self, door: Door) -> None:
        """Accept a recovered service: what each member reads from the node itself is what it signs for."""

        async def accept(client: GovernanceClient) -> None:
            network = await client.get("/node/network")
            previous = (await client.get("/node/service/previous_identity"))["previous_service_identity"]
            action = governance.transition_service_to_open(network["service_certificate"], previous)
            await client.pass_proposal(self.members, [action])

        door.ask(accept)

    def vote(self, door: Door, proposal: str) -> None:
        """The members vote for a proposal until it is accepted."""

        async def ballots(client: GovernanceClient) -> None:
            for member in self.members:
                if (await client.vote(member, proposal)).state == "Accepted":
                    return
            raise AssertionError(f"all members voted for proposal {proposal}, and it is not accepted")

        door.ask(ballots)

    def submit_shares(self, door: Door) -> int:
        """As many members as it takes submit their shares; how many that were."""

        async def submit(client: GovernanceClient) -> int:
            for number, member in enumerate(self.members, 1):
                if (await client.submit_share(member)).complete:
                    return number
            raise AssertionError("all members submitted their shares and the service did not begin to recover")

        return door.ask(submit)

    def trust(self, door: Door, node_ids: Sequence[str], *, remove: Sequence[str] = ()) -> None:
        """Trust pending nodes and remove others, in one proposal."""
        since = governance.certificate_time(time.time() - 60)
        actions = [governance.transition_node_to_trusted(node, since) for node in node_ids]
        self.pass_actions(door, [*actions, *(governance.remove_node(node) for node in remove)])


def patiently(what: str, act: Callable[[], T], *, within: float = 30) -> T:
    """Do something that CCF may refuse for a moment (an election, a certificate not yet committed)."""
    done: list[T] = []

    def attempt() -> bool:
        try:
            done.append(act())
        except GovernanceError as error:
            if error.status in (0, 500, 503):
                return False
            raise
        return True

    eventually(what, attempt, within=within)
    return done[-1]


def _config_map(name: str, data: dict[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
