"""The shape of CCF 7's configuration file, and a checker for it (CCF facts §3).

A schema is a dict of key -> what its value must be; a key ending in "!" is required. Keys that no schema names
are refused, except where `Open` says that CCF tolerates them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class SchemaError(Exception):
    """Says where the file is wrong, and how."""


@dataclass(frozen=True)
class Open:
    """An object that may hold further keys."""

    fields: Mapping[str, Any]


@dataclass(frozen=True)
class ListOf:
    item: Any


@dataclass(frozen=True)
class MapOf:
    value: Any


@dataclass(frozen=True)
class OneOf:
    values: tuple[str, ...]


@dataclass(frozen=True)
class Null:
    """The inner shape, or null."""

    inner: Any


@dataclass(frozen=True)
class AtLeast:
    minimum: int


Text, Flag, Count, Anything = "text", "flag", AtLeast(0), "anything"
Days = AtLeast(1)

_REDIRECTION = Open({"kind!": OneOf(("NodeByRole", "StaticAddress")), "target": Open({})})

_INTERFACE = Open(
    {
        "bind_address!": Text,
        "published_address": Text,
        "protocol": OneOf(("tcp", "udp")),
        "app_protocol": OneOf(("HTTP1", "HTTP2")),
        "max_open_sessions_soft": Count,
        "max_open_sessions_hard": Count,
        "http_configuration": {
            "max_body_size": Text,
            "max_header_size": Text,
            "max_headers_count": Count,
            "max_concurrent_streams_count": AtLeast(1),
            "initial_window_size": Text,
            "max_frame_size": Text,
        },
        "endorsement": {"authority!": OneOf(("Node", "Service", "Unsecured", "ACME"))},
        "accepted_endpoints": ListOf(Text),
        "forwarding_timeout_ms": Count,
        "redirections": {"to_primary": _REDIRECTION, "to_backup": _REDIRECTION},
    }
)

_MEMBER = {
    "certificate_file!": Text,
    "encryption_public_key_file": Null(Text),
    "data_json_file": Null(Text),
    "recovery_role": Null(OneOf(("NonParticipant", "Participant", "Owner"))),
}

_START = {
    "constitution_files!": ListOf(Text),
    "members!": ListOf(_MEMBER),
    "initial_service_certificate_validity_days": Days,
    "service_subject_name": Text,
    "cose_signatures": {"issuer": Text, "subject": Text},
    "service_configuration": {
        "recovery_threshold!": Count,
        "maximum_node_certificate_validity_days": Days,
        "maximum_service_certificate_validity_days": Days,
        "recent_cose_proposals_window_size": AtLeast(1),
    },
}

_JOIN = {
    "target_rpc_address!": Text,
    "retry_timeout": Text,
    "follow_redirect": Flag,
    "fetch_recent_snapshot": Flag,
    "fetch_snapshot_max_attempts": Count,
    "fetch_snapshot_retry_interval": Text,
    "fetch_snapshot_max_size": Text,
}

_RECOVER = {
    "previous_service_identity_file!": Text,
    "initial_service_certificate_validity_days": Days,
    "previous_sealed_ledger_secret_location": Null(Text),
}

SCHEMA: Mapping[str, Any] = {
    "network!": {
        "node_to_node_interface!": {"bind_address!": Text, "published_address": Text},
        "rpc_interfaces!": MapOf(_INTERFACE),
    },
    "command!": Open(
        {
            "type!": OneOf(("Start", "Join", "Recover")),
            "service_certificate_file": Text,
            "start": _START,
            "join": _JOIN,
            "recover": _RECOVER,
        }
    ),
    "node_certificate": {
        "subject_name": Text,
        "subject_alt_names": ListOf(Text),
        "curve_id": OneOf(("Secp384R1", "Secp256R1")),
        "initial_validity_days": Days,
    },
    "node_data_json_file": Null(Text),
    "service_data_json_file": Null(Text),
    "attestation": {
        "snp_security_policy_file": Null(Text),
        "snp_uvm_endorsements_file": Null(Text),
        "snp_endorsements_file": Null(Text),
        "snp_endorsements_servers": ListOf({"type!": Text, "url": Text, "max_retries_count": Count}),
    },
    "ledger": {"directory": Text, "read_only_directories": ListOf(Text), "chunk_size": Text},
    "snapshots": {"directory": Text, "tx_count": Count, "read_only_directory": Null(Text)},
    "consensus": {"message_timeout": Text, "election_timeout": Text, "max_uncommitted_tx_count": Count},
    "ledger_signatures": {"tx_count": Count, "delay": Text},
    "jwt": {"key_refresh_interval": Text},
    "output_files": {
        "node_certificate_file": Text,
        "pid_file": Text,
        "node_to_node_address_file": Text,
        "rpc_addresses_file": Text,
        "sealed_ledger_secret_location": Null(Text),
    },
    "logging": {"format": OneOf(("Text", "Json")), "host_level": Text},
    "tick_interval": Text,
    "slow_io_logging_threshold": Text,
    "node_client_interface": Null(Text),
    "client_connection_timeout": Text,
    "idle_connection_timeout": Null(Text),
    "worker_threads": Count,
    "memory": {"circuit_size": Text, "max_msg_size": Text, "max_fragment_size": Text},
    "ignore_first_sigterm": Flag,
    "node_to_node_message_limit": Anything,
    "historical_cache_soft_limit": Text,
}


def check(value: Any, schema: Any, where: str = "") -> None:
    """Raise SchemaError if `value` is not of the shape `schema`."""
    match schema:
        case "anything":
            return
        case "text":
            _require(isinstance(value, str), where, "must be a string")
        case "flag":
            _require(isinstance(value, bool), where, "must be true or false")
        case AtLeast(minimum):
            _require(isinstance(value, int) and not isinstance(value, bool), where, "must be an integer")
            _require(value >= minimum, where, f"must be at least {minimum}")
        case OneOf(values):
            _require(value in values, where, f"must be one of {', '.join(values)}")
        case Null(inner):
            if value is not None:
                check(value, inner, where)
        case ListOf(item):
            _require(isinstance(value, list), where, "must be an array")
            for index, one in enumerate(value):
                check(one, item, f"{where}[{index}]")
        case MapOf(inner):
            _require(isinstance(value, dict), where, "must be an object")
            for key, one in value.items():
                check(one, inner, f"{where}.{key}")
        case Open(fields):
            _object(value, fields, where, closed=False)
        case _:
            _object(value, schema, where, closed=True)
    if where == "" and isinstance(value, dict):
        _command_section(value["command"])


def _command_section(command: Mapping[str, Any]) -> None:
    section = command["type"].lower()
    _require(section in command, f".command.{section}", "is required")


def _object(value: Any, fields: Mapping[str, Any], where: str, *, closed: bool) -> None:
    _require(isinstance(value, dict), where, "must be an object")
    known = {name.removesuffix("!"): shape for name, shape in fields.items()}
    for name in fields:
        if name.endswith("!"):
            _require(name[:-1] in value, f"{where}.{name[:-1]}", "is required")
    for key, one in value.items():
        if key in known:
            check(one, known[key], f"{where}.{key}")
        elif closed:
            raise SchemaError(f"{where}.{key} is not a known key")


def _require(holds: bool, where: str, what: str) -> None:
    if not holds:
        raise SchemaError(f"{where or 'the file'} {what}")
