"""Everything one node is made of: from its order to its ConfigMap and its pod."""

from __future__ import annotations

from typing import Any

from ccf_operator.render.config_map import config_map
from ccf_operator.render.order import NodeOrder
from ccf_operator.render.pod import pod


def node_objects(order: NodeOrder) -> tuple[dict[str, Any], dict[str, Any]]:
    """The node's ConfigMap and its pod, in the order in which they are created."""
    return config_map(order), pod(order)
