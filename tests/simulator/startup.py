"""How a node comes into a service: `Start`, `Join`, `Recover` (CCF facts §2, §7, §8)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator import create, joining, tls
from simulator.config import BadThreshold, ConfigError, JoinCommand, RecoverCommand, StartCommand
from simulator.exits import BAD_START, NodeExit, abort
from simulator.identity import KeyPair, Validity
from simulator.join_client import Joiner
from simulator.kv import TxID
from simulator.ledger_crypto import new_key
from simulator.ledger_replay import PublicReplay
from simulator.service_identity import ServiceIdentity

if TYPE_CHECKING:
    from simulator.node import SimulatedNode

FIRST = TxID(2, 1)


def start(node: SimulatedNode, command: StartCommand) -> None:
    """Create a new service. Raises NodeExit."""
    try:
        members = create.read_members(command)
        configuration = create.service_configuration(command, members)
        constitution = create.read_constitution(command)
    except BadThreshold as error:
        raise NodeExit(BAD_START, str(error)) from error
    except (ConfigError, ValueError) as error:
        raise abort(str(error)) from error
    service = _new_service(node, command.service_subject, command.service_validity_days)
    node.replica.secrets.add(FIRST.seqno, new_key())
    endorsed = service.endorse(node.applicant.csr, Validity.of(node.self_signed))
    tx = node.store.begin()
    create.write_genesis(
        tx,
        constitution=constitution,
        members=members,
        configuration=configuration,
        service_certificate=service.certificate,
        service_data=_service_data(node),
        applicant=node.applicant,
        endorsed_certificate=endorsed,
        txid=FIRST,
    )
    node.adopt(service, endorsed)
    participation = node.participate()
    participation.lead(FIRST.view, tx, chunk_before=False)
    node.state = "PartOfNetwork"
    node.faults.reach("created")
    node.spawn(participation.run())


async def join(node: SimulatedNode, command: JoinCommand, service_certificate: str) -> None:
    """Ask until trusted, then follow. Raises NodeExit."""
    try:
        context = tls.joiner_context(service_certificate, node.self_signed.encode(), node.key.private_pem)
    except OSError as error:
        raise abort(f"The service certificate does not parse: {error}") from error
    body = joining.request_body(node.applicant, node.startup_seqno)
    joiner = Joiner(command, body, context, log=node.log)
    await joiner.wait_for_snapshot()
    joined = await joiner.join()
    service = ServiceIdentity(KeyPair.from_pem(joined.service_key), joined.service_certificate)
    for version, secret in joined.ledger_secrets.items():
        node.replica.secrets.add(version, secret)
    node.replica.ledger.begin_join(0, recovered_up_to=joined.recovered_up_to)
    node.adopt(service, joined.endorsed_certificate)
    participation = node.participate()
    participation.follow()
    node.state = "PartOfPublicNetwork" if joined.public_only else "PartOfNetwork"
    node.faults.reach("joined")
    await participation.run()


async def recover(node: SimulatedNode, command: RecoverCommand) -> None:
    """Read the public ledger, then continue it as a new service. Raises NodeExit, LedgerError."""
    try:
        command.previous_service_identity.read_text()
    except OSError as error:
        raise abort(f"Previous service identity does not exist: {command.previous_service_identity}") from error
    service = _new_service(node, "CN=CCF Service", command.service_validity_days)
    replay = PublicReplay(node.replica.ledger, node.store, node.replica.note_replayed)
    before = 0
    while replay.step():
        await asyncio.sleep(node.faults.replay_delay * (node.store.current.seqno - before))
        before = node.store.current.seqno
        node.faults.reach("replaying")
    point = replay.finish()
    node.replica.secrets_history.rollback(point.last_signed.seqno)
    node.faults.reach("recovered")
    node.replica.secrets.add(point.create.seqno, new_key())
    endorsed = service.endorse(node.applicant.csr, Validity.of(node.self_signed))
    tx = node.store.begin()
    create.write_recovery(
        tx,
        service_certificate=service.certificate,
        service_data=_service_data(node),
        applicant=node.applicant,
        endorsed_certificate=endorsed,
        txid=point.create,
    )
    node.adopt(service, endorsed)
    participation = node.participate()
    participation.lead(point.create.view, tx, chunk_before=True)
    node.state = "PartOfPublicNetwork"
    node.faults.reach("created")
    await participation.run()


def read_json_file(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise abort(f"Could not read {path}: {error}") from error


def _new_service(node: SimulatedNode, subject: str, days: int) -> ServiceIdentity:
    service = ServiceIdentity.create(subject, days)
    try:
        node.config.service_certificate_file.write_text(service.certificate)
    except OSError as error:
        raise abort(f"Could not write {node.config.service_certificate_file}: {error.strerror}") from error
    return service


def _service_data(node: SimulatedNode) -> Any:
    path = node.config.service_data
    return None if path is None else read_json_file(path)
