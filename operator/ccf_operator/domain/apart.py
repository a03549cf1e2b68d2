"""Nodes that answer the operator, and that the primary of their service does not hear.

What the operator reaches is not what they reach: traffic between nodes has a port of its own, and names.
"""

from __future__ import annotations

from collections.abc import Iterable

from ccf_operator.api.status import NodeRecord
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.service import ServiceView
from ccf_operator.render import names

UNHEARD_MS = 30_000
"""How long a primary may have heard nothing of a node; it hears of each several times a second (CCF facts §9)."""


def is_apart(draft: Draft, view: ServiceView, record: NodeRecord) -> bool:
    """Whether a part of the service answers the operator while its primary, by its own word, hears nothing of it."""
    leader = view.leader
    if leader is None or leader.consensus is None or record.node_id is None or draft.answers(record) is None:
        return False
    ack = leader.consensus.acks.get(record.node_id)
    counted_on = any(record.node_id in config.nodes for config in view.configs)
    return counted_on and ack is not None and ack.last_received_ms >= UNHEARD_MS


def apart(draft: Draft, view: ServiceView, records: Iterable[NodeRecord]) -> list[NodeRecord]:
    """Those of the nodes that are."""
    return [record for record in records if record.ended is None and is_apart(draft, view, record)]


def what_is_apart(view: ServiceView) -> str:
    """`answers the operator, and bank-0 has heard nothing of it for half a minute (port 8081)`."""
    return (
        f"answers the operator, and {view.primary} has heard nothing of it for half a minute (traffic between nodes, "
        f"port {names.NODE_PORT})"
    )
