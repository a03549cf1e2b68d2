from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import parse_qs

import ccf.cose
import pytest
from pycose.messages.sign1message import Sign1Message

from ccf_operator.ccf import governance
from ccf_operator.ccf.governance import GovernanceClient, GovernanceError, NotAccepted, NotCommitted
from members import generate_member, generate_operator_member
from simulator import http1, tls
from simulator.gov_types import Request
from simulator.identity import endorse, signing_request
from unit.simulator.single_node import NOW, VALIDITY, SingleNode

MEMBERS = [generate_member(f"member{i}") for i in range(3)]
OPERATOR = generate_operator_member("operator")
NAME = "n0.example"


class Served:
    """A single node behind TLS; it signs what it has at the third question for a transaction's fate."""

    def __init__(self, node: SingleNode) -> None:
        self.node = node
        self.asked = 0
        self.connections = 0
        self.commits = True
        self.port = 0

    async def answer(self, request: http1.Request) -> http1.Response:
        if request.path == "/node/tx":
            return self._fate(parse_qs(request.query)["transaction_id"][0])
        asked = Request(request.method, request.path, request.query, request.headers, request.body)
        response = self.node.request(asked)
        headers = dict(response.headers)
        if response.keep_writes:
            headers["x-ms-ccf-transaction-id"] = str(self.node.store.current)
        return http1.Response(response.status, response.body, headers)

    def _fate(self, wanted: str) -> http1.Response:
        self.asked += 1
        if self.asked % 3 == 0 and self.commits:
            self.node.sign()
        view, seqno = map(int, wanted.split("."))
        status = "Invalid" if view != 2 else self.node.transaction_status(view, seqno)
        return http1.Response.json({"transaction_id": wanted, "status": status})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await http1.serve(reader, writer, self.answer, idle_timeout=None, max_body=2**20)


@asynccontextmanager
async def serving(node: SingleNode) -> AsyncIterator[tuple[Served, GovernanceClient]]:
    """The node on loopback, and a client of it that trusts its service."""
    csr = signing_request(node.node_key, "CN=CCF Node", (f"dNSName:{NAME}",))
    certificate = endorse(csr, node.service_key, node.service_certificate, VALIDITY)
    served = Served(node)
    context = tls.server_context(certificate.encode(), node.node_key.private_pem)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0, ssl=context)
    served.port = server.sockets[0].getsockname()[1]
    async with server, _client(served.port, node.service_certificate, NAME) as client:
        yield served, client


def _client(port: int, trusted: str, name: str) -> GovernanceClient:
    return GovernanceClient(f"127.0.0.1:{port}", trusted, server_name=name, poll_interval=0.001, now=lambda: NOW)


def _node(threshold: int = 1) -> SingleNode:
    return SingleNode([*MEMBERS, OPERATOR], threshold=threshold)


def test_a_member_shows_no_key() -> None:
    assert repr(MEMBERS[0]) == f"Member({MEMBERS[0].member_id})"
    assert MEMBERS[0].member_id.encode() == ccf.cose.cert_fingerprint(MEMBERS[0].certificate_pem)


@pytest.mark.parametrize(
    ("message", "kind", "payload", "path"),
    [
        (
            governance.proposal(MEMBERS[0], [governance.remove_node("ab")], created_at=NOW),
            "proposal",
            {"actions": [{"name": "remove_node", "args": {"node_id": "ab"}}]},
            "/gov/members/proposals:create",
        ),
        (
            governance.ballot(MEMBERS[0], "cd", governance.YES, created_at=NOW),
            "ballot",
            {"ballot": governance.YES},
            f"/gov/members/proposals/cd/ballots/{MEMBERS[0].member_id}:submit",
        ),
        (
            governance.acknowledgement(MEMBERS[0], "00ff", created_at=NOW),
            "ack",
            {"stateDigest": "00ff"},
            f"/gov/members/state-digests/{MEMBERS[0].member_id}:ack",
        ),
    ],
)
def test_messages_say_what_they_are(message: governance.Message, kind: str, payload: object, path: str) -> None:
    header, content = _opened(message.body)
    assert message.path == f"{path}?api-version=2024-07-01"
    assert json.loads(content or b"") == payload
    assert header["ccf.gov.msg.type"] == kind
    assert header["ccf.gov.msg.created_at"] == NOW
    assert header.get("ccf.gov.msg.proposal_id") == ("cd" if kind == "ballot" else None)


def _opened(raw: bytes) -> tuple[dict[str, object], bytes | None]:
    """The text-labelled protected header and the payload, as a published library reads them."""
    message = Sign1Message.decode(raw)
    return {label: value for label, value in message.phdr.items() if isinstance(label, str)}, message.payload


def test_a_share_needs_the_members_own_encryption_key() -> None:
    with pytest.raises(ValueError, match="no encryption key"):
        governance.recovery_share(OPERATOR, "AAAA", created_at=NOW)
    wrong = replace(MEMBERS[0], encryption_key_pem=MEMBERS[0].key_pem)
    with pytest.raises(ValueError, match="not RSA"):
        governance.recovery_share(wrong, "AAAA", created_at=NOW)
    for_another = base64.b64encode(b"\x01" * 256).decode()
    with pytest.raises(ValueError, match="Decryption failed"):
        governance.recovery_share(MEMBERS[0], for_another, created_at=NOW)


async def test_members_open_a_service_and_change_it() -> None:
    async with serving(_node()) as (served, client):
        for member in [*MEMBERS, OPERATOR]:
            await client.activate(member)
        certificate = (await client.get("/gov/service/info"))["certificate"]
        opened = await client.pass_proposal(MEMBERS, [governance.transition_service_to_open(certificate)])
        assert (opened.state, opened.ballots) == ("Accepted", 2)
        assert (await client.get("/gov/service/info"))["status"] == "Open"
        assert served.node.committed()[1] >= int(str(opened.transaction_id).split(".")[1])

        alone = await client.pass_proposal([OPERATOR], [governance.trigger_snapshot()])
        assert alone.ballots == 0
        with pytest.raises(NotAccepted, match="Open after 1 ballots"):
            await client.pass_proposal([MEMBERS[0]], [governance.set_recovery_threshold(2)])


async def test_members_recover_a_service() -> None:
    node = _node(threshold=2)
    node.opened(MEMBERS)
    node.sign()
    previous = node.restart_in_recovery()
    async with serving(node) as (_, client):
        action = governance.transition_service_to_open(node.service_certificate, previous)
        await client.pass_proposal(MEMBERS, [action])
        first = await client.submit_share(MEMBERS[1])
        assert (first.submitted, first.threshold, first.complete) == (1, 2, False)
        last = await client.submit_share(MEMBERS[0])
        assert (last.submitted, last.complete) == (2, True)
        assert node.recovered
        with pytest.raises(GovernanceError, match="NodeAlreadyRecovering"):
            await client.submit_share(MEMBERS[2])


async def test_a_refusal_says_why() -> None:
    async with serving(_node()) as (_, client):
        with pytest.raises(GovernanceError) as caught:
            await client.propose(MEMBERS[0], [governance.trigger_snapshot()])
        assert (caught.value.status, caught.value.code) == (401, "InvalidAuthenticationInfo")
        assert "Signer is not an ACTIVE member" in str(caught.value)
        assert str(caught.value).startswith("POST /gov/members/proposals:create: 401")


async def test_every_request_has_its_own_connection() -> None:
    async with serving(_node()) as (served, client):
        for _ in range(3):
            await client.get("/gov/service/info")
        assert served.connections == 3


async def test_what_is_never_committed() -> None:
    async with serving(_node()) as (served, client):
        with pytest.raises(NotCommitted, match="Invalid"):
            await client.wait_for_commit("1.1", timeout=30)
        served.commits = False
        with pytest.raises(NotCommitted, match="Pending"):
            await client.wait_for_commit("2.9", timeout=2)


async def test_only_the_trusted_service_is_spoken_to() -> None:
    stranger = _node()
    async with serving(_node()) as (served, client):
        assert (await client.get("/gov/service/info"))["status"] == "Opening"
        for trusted, name in ((stranger.service_certificate, NAME), (served.node.service_certificate, "n1.example")):
            async with _client(served.port, trusted, name) as other:
                with pytest.raises(GovernanceError, match="CERTIFICATE_VERIFY_FAILED") as caught:
                    await other.get("/gov/service/info")
                assert caught.value.status == 0


def test_actions_leave_out_what_is_not_given() -> None:
    assert governance.set_member("PEM")["args"] == {"cert": "PEM"}
    assert governance.transition_node_to_trusted("ab", "t")["args"] == {"node_id": "ab", "valid_from": "t"}
    assert governance.certificate_time(0) == "700101000000Z"
