"""What governance and the node say to each other: requests, answers, and the node's hooks (CCF facts §6)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl

from simulator.cose import Message
from simulator.kv import Tx

LedgerSecrets = Mapping[int, bytes]
"""Seqno from which a ledger secret is valid -> its 32 raw bytes."""


@dataclass(frozen=True)
class Request:
    """One HTTP request as it came in."""

    method: str
    path: str
    """Without the query, e.g. "/gov/members/proposals:create"; as sent (not percent-decoded)."""
    query: str = ""
    """Without the question mark, as sent."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""

    @property
    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))


@dataclass(frozen=True)
class Response:
    """The answer; `keep_writes` says whether the transaction's writes are to be applied or thrown away."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case; content-length and x-ms-ccf-transaction-id are the node's to add."""
    keep_writes: bool = True

    @classmethod
    def of_json(cls, status: int, value: Any, *, keep_writes: bool = True) -> Response:
        return cls(status, json.dumps(value).encode(), {"content-type": "application/json"}, keep_writes)


class GovError(Exception):
    """A refusal in CCF's shape: HTTP status, code and message; its transaction is thrown away."""

    def __init__(self, status: int, code: str, message: str, *details: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details = status, code, message, details

    def response(self) -> Response:
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = [dict(detail) for detail in self.details]
        return Response.of_json(self.status, {"error": error}, keep_writes=False)


class NodeHooks(Protocol):
    """What governance asks of the node it runs on. A method that cannot do it raises RuntimeError with the reason.

    Everything a hook does to the service goes through `tx`, so that it happens exactly if the transaction is applied
    (a transaction may be executed again after a conflict). Nothing here blocks.
    """

    def startup_state(self) -> str:
        """As in /node/state: "PartOfNetwork", "PartOfPublicNetwork", "ReadingPrivateLedger", ..."""
        ...

    def state_root(self, tx: Tx) -> bytes:
        """Root (32 bytes) of the Merkle tree over the entries 1..tx.snapshot; binds proposal ids to the state."""
        ...

    def view_at(self, seqno: int) -> int | None:
        """View of the entry at `seqno`; None if unknown."""
        ...

    def transaction_status(self, view: int, seqno: int) -> str:
        """As in /node/tx: "Unknown", "Pending", "Committed" or "Invalid"."""
        ...

    def committed(self) -> tuple[int, int]:
        """(view, seqno) of the last committed entry."""
        ...

    def ledger_secrets(self, tx: Tx) -> LedgerSecrets:
        """Every ledger secret this node holds now. On a recovering service: only the new service's own."""
        ...

    def share_new_ledger_secret(self, tx: Tx, secret: bytes) -> None:
        """Rekey: hand `secret` to every trusted node through the (public, encrypted) secrets table of `tx`.

        It is valid from the entry after the one that carries it. Its recovery shares are already written to `tx`.
        """
        ...

    def initiate_private_recovery(self, tx: Tx, secrets: LedgerSecrets) -> None:
        """The shares are complete: hand the recovered `secrets` to every trusted node through `tx`, and begin to read
        the private ledger once it is applied. Raises RuntimeError unless the node is PartOfPublicNetwork."""
        ...

    def encrypted_ledger_secrets(self) -> tuple[Mapping[str, Any], ...]:
        """Every value ever written to `public:ccf.internal.historical_encrypted_ledger_secret`, oldest first, as
        `shares.EncryptedSecretsHistory` collects them while the node applies entries."""
        ...

    def generate_endorsed_certificate(self, csr: str, valid_from: str, days: int) -> str:
        """PEM certificate for a node's PEM signing request, signed by the service's key.

        `valid_from` in any form of CCF facts §6.4; RuntimeError if it is none, or the request does not parse."""
        ...

    def generate_network_certificate(self, valid_from: str, days: int) -> str:
        """PEM: a new self-signed certificate of the service's present key."""
        ...

    def trigger_ledger_chunk(self, tx: Tx) -> None:
        """End the ledger chunk at the next signature."""
        ...

    def trigger_snapshot(self, tx: Tx) -> None:
        """Write a snapshot at the next signature."""
        ...

    def log(self, message: str) -> None:
        """console.log and the like of governance and application code."""
        ...


@dataclass(frozen=True)
class Call:
    """One request at its endpoint: matched path parameters, and the verified message if the endpoint takes one."""

    tx: Tx
    request: Request
    hooks: NodeHooks
    path: Mapping[str, str]
    message: Message | None = None

    @property
    def signed(self) -> Message:
        """The message of an endpoint that takes one."""
        if self.message is None:
            raise RuntimeError("this endpoint takes no signed message")
        return self.message

    def identifier(self, parameter: str, kind: str) -> str:
        """A path parameter that must be 32 bytes in hexadecimal; `kind` as in "member ID"."""
        value = self.path[parameter]
        if re.fullmatch(r"[0-9a-fA-F]{64}", value) is None:
            raise GovError(400, "InvalidResourceName", f"'{value}' is not a valid hex-encoded {kind}")
        return value

    def signer(self) -> str:
        """The member of the path, if that is who signed."""
        member = self.path["memberId"]
        if self.signed.kid != member:
            message = (
                f"Member ID from path parameter ({member}) does not match member ID from body signature "
                f"({self.signed.kid})."
            )
            raise GovError(400, "InvalidAuthenticationInfo", message)
        return member

    def json(self) -> dict[str, Any]:
        """The signed payload, which must be a JSON object."""
        try:
            value = json.loads(self.signed.payload)
        except ValueError as error:
            raise GovError(500, "InternalError", f"Failed to parse JSON: {error}") from error
        return value if isinstance(value, dict) else {}
