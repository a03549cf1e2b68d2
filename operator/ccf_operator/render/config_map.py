"""The ConfigMap of a node: CCF's configuration, what `stage` needs, and the files both name."""

from __future__ import annotations

import json
from typing import Any

from ccf_operator.api.status import Command, NodeRecord
from ccf_operator.render import labels, layout, names
from ccf_operator.render.ccf_config import config_json
from ccf_operator.render.order import NodeOrder

STAGE_VERSION = 1


def config_map(order: NodeOrder) -> dict[str, Any]:
    """The immutable ConfigMap of one node; it holds public material only."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": order.record.name,
            "namespace": order.network.namespace,
            "labels": {**labels.network_labels(order.network), labels.NODE: order.record.name},
            "annotations": labels.network_annotations(order.network),
            "ownerReferences": [labels.owner_reference(order.network)],
        },
        "immutable": True,
        "data": {
            layout.CONFIG_FILE: config_json(order),
            layout.STAGE_FILE: stage_json(order),
            layout.NODE_DATA_FILE: to_json(
                {"name": order.record.name, "volume": order.record.volume, "generation": order.record.generation}
            ),
            **_files(order),
        },
    }


def stage_json(order: NodeOrder) -> str:
    """What `stage` is told: the generation to claim, the lineage to survey, and what its manifest records."""
    record = order.record
    return to_json(
        {
            "version": STAGE_VERSION,
            "network": {"name": order.network.name, "namespace": order.network.namespace, "uid": order.network.uid},
            "volume": record.volume,
            "node": record.name,
            "generation": record.generation,
            "command": record.command.value,
            "attempt": record.attempt,
            "plannedAt": record.planned_at.isoformat(),
            "lineage": list(order.lineage),
            **({"doubtful": list(order.doubtful)} if order.doubtful else {}),
            **({"former": [_former(node) for node in order.former]} if order.former else {}),
            "serviceCertificate": record.service_certificate,
            "recoveryCount": order.recovery_count,
            "configuration": list(order.configuration),
        }
    )


def _former(node: NodeRecord) -> dict[str, object]:
    return {"node": node.name, "nodeId": node.node_id, "address": node.pod_ip, "port": names.OPERATOR_PORT}


def _files(order: NodeOrder) -> dict[str, str]:
    record = order.record
    if record.command is Command.JOIN:
        return {layout.SERVICE_CERTIFICATE_FILE: record.service_certificate or ""}
    if record.command is Command.RECOVER:
        return {layout.PREVIOUS_CERTIFICATE_FILE: record.service_certificate or ""}
    files = {layout.constitution_file(index): text for index, (_, text) in enumerate(order.inputs.constitution)}
    for index, member in enumerate(order.inputs.members):
        files[layout.member_certificate(index)] = member.certificate
        if member.encryption_public_key is not None:
            files[layout.member_encryption_key(index)] = member.encryption_public_key
        if member.data is not None:
            files[layout.member_data(index)] = to_json(member.data)
    return files


def to_json(value: object) -> str:
    """A value as it stands in a file of the ConfigMap."""
    return json.dumps(value, indent=2) + "\n"
