"""What a CCF node says of itself and its service: frozen data, None or empty where nothing was obtained.

Shapes and meanings: CCF facts §1.1 and §1.2. Public keys are the lower-case hex SHA-256 of the DER
SubjectPublicKeyInfo of a certificate, as node ids are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ccf_operator.api.status import SilenceCause
from ccf_operator.domain.txid import TxID


@dataclass(frozen=True)
class StateAnswer:
    """`/node/state`. `last_signed_seqno` is the newest signature present, committed or not."""

    node_id: str
    state: str
    last_signed_seqno: int
    startup_seqno: int
    stop_notice: bool
    recovery_target_seqno: int | None = None
    last_recovered_seqno: int | None = None


@dataclass(frozen=True)
class NetworkAnswer:
    """`/node/network`. A node in `ReadingPublicLedger` gives the old service's values (CCF facts §0.4)."""

    service_status: str
    service_certificate: str
    service_key: str
    current_view: int | None
    primary_id: str | None
    recovery_count: int
    create_tx_id: TxID | None


@dataclass(frozen=True)
class NodeRow:
    """A row of `/node/network/nodes`; `published` maps interface name to `host:port`."""

    node_id: str
    status: str
    primary: bool
    published: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ConsensusConfig:
    """A configuration that is active: committed, or set and not committed yet."""

    seqno: int
    reconfiguration_id: int
    nodes: frozenset[str]


@dataclass(frozen=True)
class Ack:
    """What the primary last heard from a peer; 0 on backups."""

    seqno: int
    last_received_ms: int


@dataclass(frozen=True)
class ConsensusAnswer:
    """`/node/consensus`. More than one config: a reconfiguration has not committed yet."""

    configs: tuple[ConsensusConfig, ...]
    acks: Mapping[str, Ack]
    membership: str
    leadership: str
    primary_id: str | None
    view: int
    retirement_phase: str | None = None


@dataclass(frozen=True)
class NoAnswer:
    """Why nothing was heard of a node; `words` are for people."""

    cause: SilenceCause
    words: str


@dataclass(frozen=True)
class NodeAnswers:
    """One poll of one node.

    `reached`: a peer answered over TLS that proved `node_id`. `impostor`: a peer proved another node id than the one
    expected; nothing was asked of it. `awaited`: it has been asked for what is missing, and has not had its full time
    for that since it was last heard, or first asked. `certificate_expires_at`: when the certificate it showed runs out.
    `problem` says why something is missing, empty if nothing is. `silence`: why nothing at all was heard; None where
    something was, or where it is not known yet.
    """

    reached: bool = False
    problem: str = ""
    node_id: str | None = None
    impostor: bool = False
    certificate_expires_at: datetime | None = None
    state: StateAnswer | None = None
    network: NetworkAnswer | None = None
    nodes: tuple[NodeRow, ...] = ()
    consensus: ConsensusAnswer | None = None
    commit: TxID | None = None
    ready_app: bool | None = None
    ready_gov: bool | None = None
    previous_identity: str | None = None
    previous_identity_key: str | None = None
    removable: frozenset[str] = frozenset()
    version: str | None = None
    silence: NoAnswer | None = None
    awaited: bool = False

    @property
    def may_yet_testify(self) -> bool:
        """Whether what it says of its quorum is on its way, as far as can be known: nothing is destroyed before."""
        return self.awaited and self.consensus is None
