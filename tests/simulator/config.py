"""A node's configuration file: what CCF 7 accepts, and what it refuses (CCF facts §3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from simulator.schema import SCHEMA, SchemaError, check
from simulator.units import seconds, size


class ConfigError(Exception):
    """CCF would end with an uncaught exception: abort, exit 134."""


class BadThreshold(Exception):
    """`recovery_threshold` cannot be met by the initial members: exit 105."""


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        host, separator, port = text.rpartition(":")
        if not separator or not port.isdigit() or int(port) > 65535:
            raise ConfigError(f"{text!r} is not host:port")
        return cls(host.strip("[]"), int(port))


@dataclass(frozen=True)
class Interface:
    """One entry of `network.rpc_interfaces`."""

    name: str
    bind: Address
    published: str
    authority: Literal["Node", "Service", "Unsecured"]
    raw: Mapping[str, Any]  # as written in the file: what nodes publish about themselves
    accepted_endpoints: tuple[str, ...] | None
    redirects_to_primary: bool
    max_body: int
    max_sessions_soft: int
    max_sessions_hard: int
    forwarding_timeout: float


@dataclass(frozen=True)
class MemberFiles:
    certificate: Path
    encryption_public_key: Path | None
    data: Path | None
    recovery_role: str | None


@dataclass(frozen=True)
class StartCommand:
    constitution_files: tuple[Path, ...]
    members: tuple[MemberFiles, ...]
    service_configuration: Mapping[str, Any]
    service_validity_days: int
    service_subject: str


@dataclass(frozen=True)
class JoinCommand:
    target: Address
    retry_timeout: float
    follow_redirect: bool
    fetch_recent_snapshot: bool
    fetch_snapshot_attempts: int
    fetch_snapshot_interval: float


@dataclass(frozen=True)
class RecoverCommand:
    previous_service_identity: Path
    service_validity_days: int


@dataclass(frozen=True)
class NodeCertificate:
    subject: str = "CN=CCF Node"
    alt_names: tuple[str, ...] = ()
    curve: str = "Secp384R1"
    validity_days: int = 1


@dataclass(frozen=True)
class Config:
    n2n_bind: Address
    n2n_published: str
    interfaces: Mapping[str, Interface]
    command: StartCommand | JoinCommand | RecoverCommand
    service_certificate_file: Path
    node_certificate: NodeCertificate = field(default_factory=NodeCertificate)
    ledger_directory: Path = Path("ledger")
    read_only_ledgers: tuple[Path, ...] = ()
    chunk_size: int = 5 * 1024**2
    snapshots_directory: Path = Path("snapshots")
    read_only_snapshots: Path | None = None
    message_timeout: float = 0.1
    election_timeout: float = 5.0
    signature_tx_count: int = 5000
    signature_delay: float = 1.0
    max_uncommitted: int = 10000
    tick: float = 0.01
    node_certificate_file: Path = Path("nodecert.pem")
    pid_file: Path = Path("node.pid")
    n2n_address_file: Path | None = None
    rpc_addresses_file: Path | None = None
    node_data: Path | None = None
    service_data: Path | None = None
    ignore_first_sigterm: bool = False
    idle_connection_timeout: float | None = 60.0
    client_connection_timeout: float = 2.0
    log_format: Literal["Text", "Json"] = "Text"


def parse(text: str, base: Path = Path()) -> Config:
    """Parse a configuration file's text; relative paths are taken from `base`. Raises ConfigError."""
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"Error parsing configuration file: {error}") from error
    try:
        check(raw, SCHEMA)
        return _build(raw, base)
    except (SchemaError, ValueError) as error:
        raise ConfigError(f"Error validating JSON schema: {error}") from error


def _build(raw: Mapping[str, Any], base: Path) -> Config:
    command = raw["command"]
    ledger = raw.get("ledger", {})
    snapshots = raw.get("snapshots", {})
    consensus = raw.get("consensus", {})
    signatures = raw.get("ledger_signatures", {})
    outputs = raw.get("output_files", {})
    n2n = raw["network"]["node_to_node_interface"]
    certificate = raw.get("node_certificate", {})
    idle = raw.get("idle_connection_timeout", "60s")

    def path(value: str | None) -> Path | None:
        return None if value is None else base / value

    return Config(
        n2n_bind=Address.parse(n2n["bind_address"]),
        n2n_published=n2n.get("published_address", n2n["bind_address"]),
        interfaces={name: _interface(name, one) for name, one in raw["network"]["rpc_interfaces"].items()},
        command=_command(command, base),
        service_certificate_file=base / command.get("service_certificate_file", "service_cert.pem"),
        node_certificate=NodeCertificate(
            certificate.get("subject_name", "CN=CCF Node"),
            tuple(certificate.get("subject_alt_names", ())),
            certificate.get("curve_id", "Secp384R1"),
            certificate.get("initial_validity_days", 1),
        ),
        ledger_directory=base / ledger.get("directory", "ledger"),
        read_only_ledgers=tuple(base / one for one in ledger.get("read_only_directories", ())),
        chunk_size=size(ledger.get("chunk_size", "5MB")),
        snapshots_directory=base / snapshots.get("directory", "snapshots"),
        read_only_snapshots=path(snapshots.get("read_only_directory")),
        message_timeout=seconds(consensus.get("message_timeout", "100ms")),
        election_timeout=seconds(consensus.get("election_timeout", "5000ms")),
        max_uncommitted=consensus.get("max_uncommitted_tx_count", 10000),
        signature_tx_count=signatures.get("tx_count", 5000),
        signature_delay=seconds(signatures.get("delay", "1000ms")),
        tick=seconds(raw.get("tick_interval", "10ms")),
        node_certificate_file=base / outputs.get("node_certificate_file", "nodecert.pem"),
        pid_file=base / outputs.get("pid_file", "my_node.pid"),
        n2n_address_file=path(outputs.get("node_to_node_address_file") or None),
        rpc_addresses_file=path(outputs.get("rpc_addresses_file") or None),
        node_data=path(raw.get("node_data_json_file")),
        service_data=path(raw.get("service_data_json_file")),
        ignore_first_sigterm=raw.get("ignore_first_sigterm", False),
        idle_connection_timeout=None if idle is None else seconds(idle),
        client_connection_timeout=seconds(raw.get("client_connection_timeout", "2000ms")),
        log_format=raw.get("logging", {}).get("format", "Text"),
    )


def _interface(name: str, raw: Mapping[str, Any]) -> Interface:
    authority = raw.get("endorsement", {}).get("authority", "Service")
    if authority == "ACME":
        raise ConfigError("Endorsement authority ACME is no longer supported")
    endpoints = raw.get("accepted_endpoints")
    if authority == "Unsecured" and endpoints is None:
        raise ConfigError(f"Interface {name} is unsecured and has no accepted_endpoints")
    http = raw.get("http_configuration", {})
    published = raw.get("published_address", raw["bind_address"])
    return Interface(
        name=name,
        bind=Address.parse(raw["bind_address"]),
        published=published,
        authority=authority,
        raw=raw,
        accepted_endpoints=None if endpoints is None else tuple(endpoints),
        redirects_to_primary="to_primary" in raw.get("redirections", {}),
        max_body=size(http.get("max_body_size", "1MB")),
        max_sessions_soft=raw.get("max_open_sessions_soft", 1000),
        max_sessions_hard=raw.get("max_open_sessions_hard", 1010),
        forwarding_timeout=raw.get("forwarding_timeout_ms", 3000) / 1000,
    )


def _command(raw: Mapping[str, Any], base: Path) -> StartCommand | JoinCommand | RecoverCommand:
    match raw["type"]:
        case "Start":
            start = raw["start"]
            return StartCommand(
                tuple(base / one for one in start["constitution_files"]),
                tuple(_member(one, base) for one in start["members"]),
                start.get("service_configuration", {}),
                start.get("initial_service_certificate_validity_days", 1),
                start.get("service_subject_name", "CN=CCF Service"),
            )
        case "Join":
            join = raw["join"]
            return JoinCommand(
                Address.parse(join["target_rpc_address"]),
                seconds(join.get("retry_timeout", "1000ms")),
                join.get("follow_redirect", True),
                join.get("fetch_recent_snapshot", True),
                join.get("fetch_snapshot_max_attempts", 3),
                seconds(join.get("fetch_snapshot_retry_interval", "1000ms")),
            )
        case _:
            recover = raw["recover"]
            return RecoverCommand(
                base / recover["previous_service_identity_file"],
                recover.get("initial_service_certificate_validity_days", 1),
            )


def _member(raw: Mapping[str, Any], base: Path) -> MemberFiles:
    key, data = raw.get("encryption_public_key_file"), raw.get("data_json_file")
    return MemberFiles(
        base / raw["certificate_file"],
        None if key is None else base / key,
        None if data is None else base / data,
        raw.get("recovery_role"),
    )
