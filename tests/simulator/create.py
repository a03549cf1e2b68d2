"""The first transaction of a service, new or recovered (CCF facts §2, §8.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator import nodes_table
from simulator.config import BadThreshold, ConfigError, StartCommand
from simulator.gov_tables import (
    PREVIOUS_SERVICE_IDENTITY,
    SERVICE_CONFIG,
    SERVICE_INFO,
    NewMember,
    add_member,
    read_json,
    set_constitution,
    write_json,
)
from simulator.kv import Tx, TxID
from simulator.nodes_table import Applicant


def read_members(command: StartCommand) -> list[NewMember]:
    """The initial members from their files. Raises ConfigError if a file is missing."""
    return [
        NewMember(
            _read(files.certificate),
            None if files.encryption_public_key is None else _read(files.encryption_public_key),
            None if files.data is None else json.loads(_read(files.data)),
            files.recovery_role,
        )
        for files in command.members
    ]


def service_configuration(command: StartCommand, members: list[NewMember]) -> dict[str, Any]:
    """The service's configuration row. Raises BadThreshold (exit 105; CCF facts §6.6)."""
    configuration = {"maximum_node_certificate_validity_days": 365, **command.service_configuration}
    roles = [one.recovery_role or "Participant" for one in members if one.encryption_public_key is not None]
    participants, owners = roles.count("Participant"), roles.count("Owner")
    threshold = configuration.setdefault("recovery_threshold", 0) or participants
    if not participants and owners and threshold != 1:
        raise BadThreshold(f"Recovery threshold {threshold} must be 1 with recovery owners only")
    if participants and threshold > participants:
        raise BadThreshold(f"Recovery threshold is more than the number of recovery participants ({participants})")
    configuration["recovery_threshold"] = threshold
    return configuration


def read_constitution(command: StartCommand) -> str:
    return "\n".join(_read(one) for one in command.constitution_files)


def write_genesis(
    tx: Tx,
    *,
    constitution: str,
    members: list[NewMember],
    configuration: Mapping[str, Any],
    service_certificate: str,
    service_data: Any,
    applicant: Applicant,
    endorsed_certificate: str,
    txid: TxID,
) -> None:
    set_constitution(tx, constitution)
    for member in members:
        add_member(tx, member)
    write_json(tx, SERVICE_CONFIG, dict(configuration))
    info = {
        "cert": service_certificate,
        "current_service_create_txid": str(txid),
        "recovery_count": 0,
        "status": "Opening",
    }
    if service_data is not None:
        info["service_data"] = service_data
    write_json(tx, SERVICE_INFO, info)
    _admit_creator(tx, applicant, endorsed_certificate)


def write_recovery(
    tx: Tx,
    *,
    service_certificate: str,
    service_data: Any,
    applicant: Applicant,
    endorsed_certificate: str,
    txid: TxID,
) -> None:
    """Continue the ledger as a new service; the one before it is taken from the recovered tables."""
    previous = read_json(tx, SERVICE_INFO)
    if previous is None:
        raise ConfigError("the recovered ledger holds no service")
    write_json(tx, PREVIOUS_SERVICE_IDENTITY, previous["cert"])
    nodes_table.retire_all(tx)
    version = tx.version_of(SERVICE_INFO, bytes(8))
    info = {
        "cert": service_certificate,
        "current_service_create_txid": str(txid),
        "previous_service_identity_version": version,
        "recovery_count": previous.get("recovery_count", 0) + 1,
        "status": "Recovering",
    }
    if service_data is not None:
        info["service_data"] = service_data
    write_json(tx, SERVICE_INFO, info)
    _admit_creator(tx, applicant, endorsed_certificate)


def _admit_creator(tx: Tx, applicant: Applicant, endorsed_certificate: str) -> None:
    nodes_table.trust_code(tx)
    nodes_table.admit(tx, applicant, "Trusted")
    nodes_table.set_endorsed_certificate(tx, applicant.node_id, endorsed_certificate)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise ConfigError(f"Could not open file {path}: {error.strerror}") from error
