"""A service of one node without a network: a real store and ledger secrets, with the hooks governance needs."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ccf_operator.ccf import governance as messages
from members import GeneratedMember
from simulator import app, governance
from simulator.gov_tables import (
    ENDORSED_CERTIFICATES,
    NODES,
    PREVIOUS_SERVICE_IDENTITY,
    SERVICE_CONFIG,
    SERVICE_INFO,
    NewMember,
    add_member,
    read_json,
    set_constitution,
    write_json,
)
from simulator.gov_types import LedgerSecrets as Secrets
from simulator.gov_types import Request, Response
from simulator.identity import KeyPair, Validity, endorse, self_signed, service_certificate
from simulator.kv import Store, Tx
from simulator.ledger_crypto import LedgerSecrets, new_key
from simulator.merkle import Signer
from simulator.shares import EncryptedSecretsHistory

FIXTURES = Path(__file__).parents[2] / "fixtures/ccf"
CONSTITUTION = "\n".join(
    (FIXTURES / "constitution" / f"{name}.js").read_text() for name in ("validate", "apply", "resolve", "actions")
)
VIEW = 2
NOW = 1_800_000_000
VALIDITY = Validity(datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1), 365)


class SingleNode:
    """Answers requests and applies what they write, one entry each; signs when told to."""

    def __init__(self, members: list[GeneratedMember], *, threshold: int = 1, constitution: str = CONSTITUTION) -> None:
        self.state = "PartOfNetwork"
        self.entries: list[bytes] = []
        self.logged: list[str] = []
        self.rekeyed: dict[int, bytes] = {}
        self.recovered: dict[int, bytes] = {}
        self.triggered: list[str] = []
        self.history = EncryptedSecretsHistory()
        self._begin_service()
        self.secrets.add(1, new_key())
        tx = self.store.begin()
        for member in members:
            data = None if member.encryption_key_pem else {"is_operator": True}
            add_member(tx, NewMember(member.certificate_pem, member.encryption_public_key_pem, data))
        set_constitution(tx, constitution)
        write_json(tx, SERVICE_CONFIG, {"recovery_threshold": threshold})
        info = {"cert": self.service_certificate, "status": "Opening", "current_service_create_txid": f"{VIEW}.1"}
        write_json(tx, SERVICE_INFO, info)
        self.apply(tx)
        self.sign()

    def _begin_service(self) -> None:
        self.service_key, self.node_key = KeyPair.generate(), KeyPair.generate()
        self.node_certificate = self_signed(self.node_key, "CN=CCF Node", (), VALIDITY)
        self.service_certificate = service_certificate(self.service_key, "CN=CCF Service", VALIDITY)
        self.secrets = LedgerSecrets()
        self.store = Store(self.secrets)

    def restart_in_recovery(self) -> str:
        """Lose the process: only the ledger stays. A new service takes it up; returns the old service's certificate."""
        before = self.service_certificate
        entries, self.entries = self.entries, []
        self._begin_service()
        self.history = EncryptedSecretsHistory()
        for raw in entries:
            self._apply_raw(raw)
        self.secrets.add(self.store.current.seqno + 1, new_key())
        tx = self.store.begin()
        write_json(tx, PREVIOUS_SERVICE_IDENTITY, before)
        write_json(tx, SERVICE_INFO, {"cert": self.service_certificate, "status": "Recovering", "recovery_count": 1})
        self.apply(tx)
        self.sign()
        self.state = "PartOfPublicNetwork"
        return before

    def read_private_ledger(self) -> None:
        """What the node does once the shares were complete: read everything again, then open."""
        for version, secret in self.recovered.items():
            self.secrets.add(version, secret)
        for raw in self.entries:
            self.store.apply_private(raw)
        self.state = "PartOfNetwork"
        tx = self.store.begin()
        governance.complete_recovery(tx, self)
        self.apply(tx)

    def apply(self, tx: Tx) -> None:
        self._apply_raw(self.store.prepare(tx.writes, VIEW).raw)

    def sign(self) -> None:
        signer = Signer(
            self.node_key.fingerprint, self.node_key.private, self.node_certificate, self.service_key.private
        )
        self._apply_raw(self.store.prepare_signature(VIEW, signer).raw)

    def _apply_raw(self, raw: bytes) -> None:
        applied = self.store.apply(raw)
        self.entries.append(raw)
        self.history.observe(applied.txid.seqno, applied.writes)
        for version, secret in list(self.rekeyed.items()):
            self.secrets.add(version, secret)

    def post(self, message: messages.Message, content_type: str = "application/cose") -> Response:
        path, _, query = message.path.partition("?")
        return self.request(Request("POST", path, query, {"content-type": content_type}, message.body))

    def get(self, path: str, query: str = "api-version=2024-07-01") -> Response:
        return self.request(Request("GET", path, query))

    def request(self, request: Request) -> Response:
        tx = self.store.begin()
        answer = app.handle if request.path.startswith("/app/") else governance.handle
        response = answer(tx, request, self)
        if response.keep_writes and tx.writes:
            self.apply(tx)
        return response

    def activate(self, *members: GeneratedMember) -> None:
        for member in members:
            digest = body(self.post(messages.state_digest_update(member, created_at=NOW)))["stateDigest"]
            assert self.post(messages.acknowledgement(member, digest, created_at=NOW)).status == 204

    def propose(self, member: GeneratedMember, *actions: messages.Action, created_at: int = NOW) -> Response:
        return self.post(messages.proposal(member, actions, created_at=created_at))

    def vote(self, member: GeneratedMember, proposal_id: str, source: str = messages.YES) -> Response:
        return self.post(messages.ballot(member, proposal_id, source, created_at=NOW))

    def passed(self, members: list[GeneratedMember], *actions: messages.Action) -> dict[str, Any]:
        """Propose and vote yes until accepted; what the last answer said."""
        answer: dict[str, Any] = body(self.propose(members[0], *actions))
        for member in members:
            if answer["proposalState"] != "Open":
                break
            answer = body(self.vote(member, answer["proposalId"]))
        assert answer["proposalState"] == "Accepted"
        return answer

    def opened(self, members: list[GeneratedMember]) -> None:
        self.activate(*members)
        self.passed(members, messages.transition_service_to_open(self.service_certificate))

    def read(self, table: str, key: bytes = bytes(8)) -> Any:
        return read_json(self.store.begin(), table, key)

    def add_pending_node(self, node_id: str, csr: str) -> None:
        tx = self.store.begin()
        write_json(tx, NODES, {"status": "Pending", "certificate_signing_request": csr}, node_id.encode())
        self.apply(tx)

    def endorsed_certificate(self, node_id: str) -> bytes | None:
        return self.store.begin().get(ENDORSED_CERTIFICATES, node_id.encode())

    # What governance asks of the node.

    def startup_state(self) -> str:
        return self.state

    def state_root(self, tx: Tx) -> bytes:
        return self.store.tree.root(tx.snapshot + 1)

    def view_at(self, seqno: int) -> int | None:
        return self.store.view_at(seqno)

    def transaction_status(self, view: int, seqno: int) -> str:
        return "Committed" if seqno <= self.committed()[1] else "Pending"

    def committed(self) -> tuple[int, int]:
        return self.store.last_signed.view, self.store.last_signed.seqno

    def ledger_secrets(self, tx: Tx) -> Secrets:
        return dict(self.secrets.items())

    def share_new_ledger_secret(self, tx: Tx, secret: bytes) -> None:
        self.rekeyed[tx.snapshot + 2] = secret

    def initiate_private_recovery(self, tx: Tx, secrets: Secrets) -> None:
        if self.state != "PartOfPublicNetwork":
            raise RuntimeError(f"cannot recover in state {self.state}")
        self.recovered = dict(secrets)
        self.state = "ReadingPrivateLedger"

    def encrypted_ledger_secrets(self) -> tuple[Mapping[str, Any], ...]:
        return self.history.values()

    def generate_endorsed_certificate(self, csr: str, valid_from: str, days: int) -> str:
        return endorse(csr, self.service_key, self.service_certificate, Validity.parse(valid_from, days))

    def generate_network_certificate(self, valid_from: str, days: int) -> str:
        return service_certificate(self.service_key, "CN=CCF Service", Validity.parse(valid_from, days))

    def trigger_ledger_chunk(self, tx: Tx) -> None:
        self.triggered.append("chunk")

    def trigger_snapshot(self, tx: Tx) -> None:
        self.triggered.append("snapshot")

    def log(self, message: str) -> None:
        self.logged.append(message)


def body(response: Response) -> Any:
    return json.loads(response.body)


def error(response: Response) -> tuple[int, str]:
    """(status, code) of a refusal."""
    return response.status, body(response)["error"]["code"]
