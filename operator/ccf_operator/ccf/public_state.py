"""What a ledger's public tables say about its service and its nodes, followed entry by entry."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from ccf_operator.ccf.identity import key_fingerprint
from ccf_operator.ccf.ledger_entries import Tables

NODES_TABLE = "public:ccf.gov.nodes.info"
SERVICE_TABLE = "public:ccf.gov.service.info"
PUBLIC_STATE_TABLES = (NODES_TABLE, SERVICE_TABLE)
_SINGLE_KEY = bytes(8)
_KEPT_CONFIGURATIONS = 4


class Unreadable(ValueError):
    """A row that is not what CCF writes."""


@dataclass(frozen=True)
class ServiceRow:
    """The service as its last row gives it, its certificate as PEM.

    `opened_at`: where this service (this key) was first `Open`.
    """

    key: str
    certificate: str
    recovery_count: int
    status: str
    opened_at: int | None


@dataclass(frozen=True)
class Configuration:
    """The Trusted nodes after a change of the nodes table at `seqno`."""

    seqno: int
    nodes: frozenset[str]


class PublicState:
    """The state after the entries applied so far."""

    def __init__(self) -> None:
        self._status: dict[str, str] = {}
        self._configurations: deque[Configuration] = deque(maxlen=_KEPT_CONFIGURATIONS)
        self.service: ServiceRow | None = None

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """The last configurations, oldest first."""
        return tuple(self._configurations)

    def knows(self, node_id: str) -> bool:
        """Whether the node is Trusted or was: only such nodes sign."""
        return self._status.get(node_id) in ("Trusted", "Retired")

    def apply(self, seqno: int, tables: Tables) -> None:
        """Apply the writes of the entry at `seqno`. Raises Unreadable."""
        try:
            if NODES_TABLE in tables:
                self._nodes(seqno, tables[NODES_TABLE])
            row = tables.get(SERVICE_TABLE, {}).get(_SINGLE_KEY)
            if row is not None:
                self.service = self._service(seqno, row)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise Unreadable(f"a row of the public tables is unreadable: {error!r}") from error

    def _nodes(self, seqno: int, writes: Mapping[bytes, bytes | None]) -> None:
        for key, row in writes.items():
            if row is None:
                self._status.pop(key.decode(), None)
            else:
                self._status[key.decode()] = str(json.loads(row)["status"])
        trusted = frozenset(node for node, status in self._status.items() if status == "Trusted")
        if not self._configurations or self._configurations[-1].nodes != trusted:
            self._configurations.append(Configuration(seqno, trusted))

    def _service(self, seqno: int, row: bytes) -> ServiceRow:
        fields = json.loads(row)
        key = key_fingerprint(fields["cert"])
        status = str(fields["status"])
        before = self.service
        opened_at = before.opened_at if before is not None and before.key == key else None
        if opened_at is None and status == "Open":
            opened_at = seqno
        return ServiceRow(key, str(fields["cert"]), int(fields.get("recovery_count", 0)), status, opened_at)
