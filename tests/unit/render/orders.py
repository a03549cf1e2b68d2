"""Orders that the rendering tests start from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.api.status import Attempt, AttemptPhase, Candidate, Command, NetworkStatus, NodeRecord, ServiceStatus
from ccf_operator.domain.observation import Inputs, MemberInput
from ccf_operator.render.names import NetworkRef
from ccf_operator.render.order import NodeOrder, Platform, order

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NETWORK = NetworkRef("bank", "money", "0a1b2c3d-0000-0000-0000-000000000000")
PLATFORM = Platform(stage_image="registry.example/operator:1", cluster_domain="cluster.example")
NODE = "bank-0a1b2-4"
VOLUME = "bank-ledger-0a1b2-2"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"

INPUTS = Inputs(
    constitution=(("actions.js", "actions"), ("resolve.js", "resolve")),
    members=(
        MemberInput("alice", "alice's certificate", "alice's key", {"office": 3}, "Owner"),
        MemberInput("bob", "bob's certificate", None, None, None),
    ),
)


def spec(**changes: Any) -> CCFNetworkSpec:
    """The least a user must write, with changes, as on the wire."""
    return CCFNetworkSpec.model_validate(
        {
            "image": "registry.example/app:7",
            "members": [{"name": "alice", "certificate": {"value": "x"}}],
            "constitution": {"configMapRef": {"name": "constitution"}},
            **changes,
        }
    )


def status(command: Command) -> NetworkStatus:
    """A status that licenses one node of this kind."""
    record = NodeRecord(
        name=NODE,
        volume=VOLUME,
        generation=5,
        command=command,
        attempt=None if command is Command.START else 1,
        join_address="bank-0a1b2-1.bank-nodes.money.svc.cluster.example:8080" if command is Command.JOIN else None,
        service_certificate=None if command is Command.START else CERTIFICATE,
        planned_at=NOW,
    )
    attempt = Attempt(
        number=1,
        phase=AttemptPhase.RECOVERING,
        base_service="k",
        base_certificate=CERTIFICATE,
        base_recovery_count=2,
        configuration=["n1", "n2", "n3"],
        candidates=[Candidate(volume=VOLUME, lineage=[0, 3], generation=5, node=NODE)],
    )
    return NetworkStatus(
        nodes=[record],
        attempt=attempt if command is Command.RECOVER else None,
        service=ServiceStatus(recovery_count=2, certificate=CERTIFICATE),
    )


def order_of(command: Command, /, **changes: Any) -> NodeOrder:
    """The order of one node of this kind, with changes to the spec."""
    return order(PLATFORM, NETWORK, spec(**changes), status(command), INPUTS, NODE)
