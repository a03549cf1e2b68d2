"""CCF's configuration file: one template per major version of CCF."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ccf_operator.api.spec import milliseconds
from ccf_operator.api.status import Command
from ccf_operator.render import layout, names
from ccf_operator.render.order import NodeOrder

MAJOR = 7
"""The major version of CCF that nodes are configured for."""

JOIN_RETRY_MS = 1000
"""How often a joiner asks again; below the election timeout, so that a node that has just been trusted notices before
the primary misses it (CCF facts §3)."""


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("ccf_operator.render", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


def config_json(order: NodeOrder, major: int = MAJOR) -> str:
    """The configuration file of one node, as JSON text (CCF facts §3)."""
    template = _environment().get_template(f"v{major}/config.json.j2")
    rendered = json.loads(template.render(_variables(order)))
    return json.dumps(rendered, indent=2) + "\n"


def _variables(order: NodeOrder) -> dict[str, Any]:
    spec, record = order.spec, order.record
    election = milliseconds(spec.consensus.election_timeout)
    return {
        "command": record.command.value,
        "start": record.command is Command.START,
        "join": record.command is Command.JOIN,
        "recover": record.command is Command.RECOVER,
        "host": order.host,
        "client_port": names.CLIENT_PORT,
        "operator_port": names.OPERATOR_PORT,
        "node_port": names.NODE_PORT,
        "alternative_names": alternative_names(order),
        "node_validity_days": spec.certificates.node_validity_days,
        "service_validity_days": spec.certificates.service_validity_days,
        "node_data_file": layout.in_config(layout.NODE_DATA_FILE),
        "current": layout.CURRENT,
        "ancestors": [layout.ancestor_ledger(number) for number in order.lineage],
        "constitution_files": [
            layout.in_config(layout.constitution_file(index)) for index in range(len(order.inputs.constitution))
        ],
        "members": _members(order),
        # Zero: the number of members with an encryption key (CCF facts §3).
        "recovery_threshold": spec.recovery_threshold or 0,
        "join_address": record.join_address,
        "join_retry_ms": min(JOIN_RETRY_MS, max(1, election // 2)),
        "service_certificate_file": layout.in_config(layout.SERVICE_CERTIFICATE_FILE),
        "previous_certificate_file": layout.in_config(layout.PREVIOUS_CERTIFICATE_FILE),
        "message_timeout_ms": milliseconds(spec.consensus.message_timeout),
        "election_timeout_ms": election,
        "chunk_size": spec.ledger.chunk_size,
        "signature_tx_count": spec.ledger_signatures.tx_count,
        "signature_delay_ms": milliseconds(spec.ledger_signatures.delay),
    }


def alternative_names(order: NodeOrder) -> list[str]:
    """Names its certificate is good for: its own, which peers and joiners use, and the Service's, which clients use."""
    service = names.client_service(order.network.name)
    namespace = order.network.namespace
    return [
        f"dNSName:{name}"
        for name in (
            order.host,
            service,
            f"{service}.{namespace}",
            f"{service}.{namespace}.svc",
            f"{service}.{namespace}.svc.{order.platform.cluster_domain}",
        )
    ]


def _members(order: NodeOrder) -> list[dict[str, str]]:
    listed = []
    for index, member in enumerate(order.inputs.members):
        files = {"certificate_file": layout.in_config(layout.member_certificate(index))}
        if member.encryption_public_key is not None:
            files["encryption_public_key_file"] = layout.in_config(layout.member_encryption_key(index))
        if member.data is not None:
            files["data_json_file"] = layout.in_config(layout.member_data(index))
        if member.recovery_role is not None:
            files["recovery_role"] = member.recovery_role
        listed.append(files)
    return listed
