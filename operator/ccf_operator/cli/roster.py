"""The members of the consortium by the names people know them by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.x509.oid import NameOID

from ccf_operator.ccf.identity import load_certificate
from ccf_operator.ccf.messages import member_id
from ccf_operator.ccf.parsing import parse_members
from ccf_operator.cli.desk import Desk, ballots_of
from ccf_operator.cli.kubectl import Kubectl, KubectlFailed
from ccf_operator.cli.network import Network


@dataclass(frozen=True)
class Person:
    """A member."""

    name: str
    member_id: str
    status: str
    recovery: str

    def document(self) -> dict[str, str]:
        return {"name": self.name, "memberId": self.member_id, "status": self.status, "recoveryRole": self.recovery}


async def members(kubectl: Kubectl, desk: Desk) -> list[Person]:
    """The service's members; names come from the network's spec, else from the certificates."""
    names = await names_in_spec(kubectl, desk.network)
    return sorted(
        (
            Person(
                names.get(one.member_id) or _common_name(one.certificate) or one.member_id[:8],
                one.member_id,
                one.status,
                one.recovery_role or "–",
            )
            for one in await desk.told("/gov/service/members", parse_members)
        ),
        key=lambda person: person.name,
    )


async def voters(desk: Desk, proposal_id: str, people: Sequence[Person]) -> list[str]:
    """Ids of those who have voted."""
    return await ballots_of(desk, proposal_id, [person.member_id for person in people])


def named(ids: Sequence[str], people: Sequence[Person]) -> str:
    """Their names, in a line."""
    known = {person.member_id: person.name for person in people}
    return ", ".join(known.get(one, one[:8]) for one in ids)


async def names_in_spec(kubectl: Kubectl, network: Network) -> dict[str, str]:
    """Names of the members that the network's spec has, by their ids; of those whose certificates can be read."""
    held: dict[str, dict[str, str]] = {}
    found = {}
    for member in network.spec.get("members") or []:
        source = member.get("certificate") or {}
        pem = source.get("value")
        if (reference := source.get("configMapKeyRef")) is not None:
            if reference["name"] not in held:
                held[reference["name"]] = await _config_map(kubectl.within(network.namespace), reference["name"])
            pem = held[reference["name"]].get(reference["key"])
        try:
            found[member_id(pem or "")] = str(member["name"])
        except ValueError:
            continue
    return found


async def _config_map(kubectl: Kubectl, name: str) -> dict[str, str]:
    """Its data; empty where it cannot be read: names are a help, nothing rests on them."""
    try:
        raw = await kubectl.get("configmap", name)
    except KubectlFailed:
        return {}
    return dict((raw or {}).get("data") or {})


def _common_name(pem: str) -> str | None:
    try:
        names = load_certificate(pem).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:
        return None
    return str(names[0].value) if names else None
