"""A CCF node, simulated: one `SimulatedNode` is one node process; many can live in one event loop."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import ssl
import traceback
from collections.abc import Callable, Coroutine, Mapping
from random import Random
from typing import Any

from simulator import frontend, http1, identity, raft, secrets_table, startup, tls
from simulator.config import Address, Config, Interface, JoinCommand, RecoverCommand, StartCommand
from simulator.exits import BAD_START, NO_SERVICE_CERTIFICATE, PID_FILE_EXISTS, NodeExit, abort
from simulator.faults import Faults
from simulator.frontend import Frontend
from simulator.http1 import Request, Response
from simulator.identity import KeyPair, Validity
from simulator.kv import Store, Tx, TxID
from simulator.ledger import LedgerDirectory, LedgerError, is_empty
from simulator.links import Links
from simulator.nodes_table import Applicant
from simulator.participation import Participation
from simulator.private_recovery import PrivateRecovery
from simulator.replica import Replica
from simulator.secrets_table import EncryptionKey
from simulator.service_identity import ServiceIdentity, starting_now
from simulator.tls import Listener
from simulator.transport import Credentials, ForwardFailed, Transport


class SimulatedNode:
    """`await start()`, then `await wait()` for its end; `stop()` ends it cleanly, `kill()` as SIGKILL would.

    `start` raises NodeExit if the node ends at once. Faults never come from anywhere but `faults`.
    """

    def __init__(self, config: Config, *, faults: Faults | None = None, random: Random | None = None) -> None:
        self.config = config
        self.faults = faults or Faults()
        self._random = random or Random()
        self.key = KeyPair.generate(config.node_certificate.curve)
        self.node_id = self.key.fingerprint
        self._logger = logging.getLogger(f"simulator.node.{self.node_id[:8]}")
        self.state = "Uninitialized"
        self.startup_seqno = 0
        self.stop_notice = False
        self.member_frontend_open = False
        self.user_frontend_open = False
        self.recovery_progress: tuple[int, int] | None = None
        self.consensus: Participation | None = None
        self._listeners: dict[str, Listener] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._after: dict[int, list[Callable[[], None]]] = {}
        self._exit: asyncio.Future[NodeExit] | None = None
        self._service_context: ssl.SSLContext | None = None
        self._transport: Transport | None = None
        self._ended = False
        self._closing: asyncio.Future[None] | None = None

    # Life.

    async def start(self) -> None:
        self._exit = asyncio.get_running_loop().create_future()
        try:
            await self._start()
        except NodeExit:
            self.kill()
            raise
        except LedgerError as error:
            self.kill()
            raise abort(str(error)) from error

    async def wait(self) -> NodeExit:
        """How the node ended (code 0 after `stop`)."""
        assert self._exit is not None
        return await asyncio.shield(self._exit)

    async def stop(self) -> None:
        """As SIGTERM does."""
        if self._ended:
            return
        self.log("Shutting down enclave gracefully...")
        self.replica.ledger.close()
        self._end()
        if self._transport is not None:
            await self._transport.stop()
        self.log("Host stopped successfully")
        self._finish(NodeExit(0, "stopped"))

    def kill(self) -> None:
        """As SIGKILL does: nothing more is written, sent or answered."""
        self._end()
        if self._transport is not None:
            self._closing = asyncio.ensure_future(self._transport.stop())
        self._finish(NodeExit(137, "killed"))

    def fail(self, error: BaseException) -> None:
        """End because of an error that CCF does not survive."""
        if isinstance(error, NodeExit):
            reason = error
        elif isinstance(error, LedgerError):
            reason = abort(str(error))
        else:
            reason = abort("".join(traceback.format_exception(error)))
        self._finish(reason)
        self.kill()

    def give_stop_notice(self) -> None:
        """As the first SIGTERM does with `ignore_first_sigterm`."""
        self.stop_notice = True

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run in the background; an error ends the node."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def address(self, interface: str) -> str:
        """Where the interface really listens."""
        return str(self._listeners[interface].address)

    def close_interface(self, interface: str) -> Address:
        """Listen no more there, as if the interface hung or another had taken its address; where that was."""
        listener = self._listeners[interface]
        address = listener.address
        listener.close()
        return address

    def open_interface(self, interface: str) -> None:
        """Listen again where it listened before `close_interface`."""
        listener = self._listeners[interface] = self._listener(self.config.interfaces[interface])
        listener.open()
        listener.start()

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def _finish(self, reason: NodeExit) -> None:
        if self._exit is not None and not self._exit.done():
            self._exit.set_result(reason)

    def _end(self) -> None:
        self._ended = True
        for task in list(self._tasks):
            task.cancel()
        for listener in self._listeners.values():
            listener.close()

    async def _start(self) -> None:
        config = self.config
        self._latch()
        command = config.command
        if isinstance(command, JoinCommand) and not config.service_certificate_file.exists():
            raise NodeExit(
                NO_SERVICE_CERTIFICATE, f"Could not read service certificate {config.service_certificate_file}"
            )
        if isinstance(command, StartCommand) and not is_empty(config.ledger_directory):
            raise NodeExit(
                BAD_START, f"On start, ledger directory should not exist or be empty ({config.ledger_directory})"
            )
        ledger = LedgerDirectory(config.ledger_directory, config.read_only_ledgers, chunk_size=config.chunk_size)
        config.snapshots_directory.mkdir(exist_ok=True)
        self.encryption_key = await asyncio.to_thread(EncryptionKey)
        self.replica = Replica(self.node_id, self.key, self.encryption_key, ledger, self)
        self._credentials = Credentials(self.key, None, None)
        self._transport = Transport(
            config.n2n_bind,
            config.n2n_published,
            self._credentials,
            on_message=self._receive,
            on_forward=self._answer_forwarded,
        )
        self.links = Links(self._transport)
        await self._listen()
        if self._ended:
            return
        self._identify()
        self.state = "Initialized"
        self.faults.reach("listening")
        work: Coroutine[Any, Any, None]
        match command:
            case StartCommand():
                startup.start(self, command)
                work = self._nothing()
            case JoinCommand():
                self.state = "Pending"
                work = startup.join(self, command, config.service_certificate_file.read_text())
            case RecoverCommand():
                self.state = "ReadingPublicLedger"
                work = startup.recover(self, command)
        for listener in self._listeners.values():
            listener.start()
        self.spawn(work)

    async def _nothing(self) -> None:
        return

    def _latch(self) -> None:
        try:
            with self.config.pid_file.open("x") as file:
                file.write(str(os.getpid()))
        except FileExistsError as error:
            raise NodeExit(PID_FILE_EXISTS, f"PID file {self.config.pid_file} already exists. Exiting.") from error
        except OSError as error:
            raise abort(f"Could not write {self.config.pid_file}: {error.strerror}") from error

    async def _listen(self) -> None:
        assert self._transport is not None
        try:
            n2n = await self._transport.start()
            for name, interface in self.config.interfaces.items():
                listener = self._listeners[name] = self._listener(interface)
                listener.open()
        except OSError as error:
            raise abort(f"Could not bind: {error}") from error
        _write(self.config.n2n_address_file, json.dumps({"node_to_node_interface": str(n2n)}))
        addresses = {name: str(one.address) for name, one in self._listeners.items()}
        _write(self.config.rpc_addresses_file, json.dumps(addresses))

    def _listener(self, interface: Interface) -> Listener:
        contexts: dict[str, Callable[[], ssl.SSLContext | None]] = {
            "Node": lambda: self._node_context,
            "Service": lambda: self._service_context,
            "Unsecured": lambda: None,
        }

        async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            answers = Frontend(self, interface)
            await http1.serve(
                reader,
                writer,
                lambda request: self._answer(answers, request),
                idle_timeout=self.config.idle_connection_timeout,
                max_body=interface.max_body,
            )

        return Listener(
            interface.bind,
            session,
            contexts[interface.authority],
            encrypted=interface.authority != "Unsecured",
            max_sessions=interface.max_sessions_hard,
        )

    async def _answer(self, answers: Frontend, request: Request) -> Response:
        try:
            return await answers.answer(request)
        except (NodeExit, LedgerError) as error:
            self.fail(error)
            raise ConnectionResetError from error
        except Exception as error:
            self._logger.exception("Exception thrown while processing %s", request.target)
            return Response.error(500, "InternalError", f"Exception thrown: {error}")

    def _identify(self) -> None:
        """Make what proves and describes this node."""
        certificate = self.config.node_certificate
        names = certificate.alt_names or tuple(_alt_name(one.published) for one in self.config.interfaces.values())
        self._alt_names = tuple(dict.fromkeys(names))
        self._sign_self(starting_now(certificate.validity_days))
        data = self.config.node_data
        self.applicant = Applicant.of_config(
            self.config,
            node_id=self.node_id,
            csr=identity.signing_request(self.key, certificate.subject, self._alt_names),
            public_key=self.key.public_pem,
            encryption_key=self.encryption_key.public_pem,
            certificate=self.self_signed,
            node_data=None if data is None else startup.read_json_file(data),
        )
        _write(self.config.node_certificate_file, self.self_signed)

    def _sign_self(self, validity: Validity) -> None:
        subject = self.config.node_certificate.subject
        self.self_signed = identity.self_signed(self.key, subject, self._alt_names, validity)
        self._node_context = tls.server_context(self.self_signed.encode(), self.key.private_pem)

    # What startup does.

    def adopt(self, service: ServiceIdentity, endorsed: str) -> None:
        """Be of this service from now on; `endorsed` is the certificate it gave this node."""
        self.replica.service = service
        self._credentials.service_key = service.key.public_der
        self._credentials.certificate = endorsed

    def participate(self) -> Participation:
        self.consensus = Participation(
            self.node_id, self.config, self.replica, self.links, random=self._random, log=self.log
        )
        return self.consensus

    # replica.Observer

    def rekeyed(self, seqno: int, secrets: Mapping[int | None, bytes]) -> None:
        if self.state == "PartOfNetwork" and None in secrets:
            self.replica.secrets.add(seqno + 1, secrets[None])

    def secrets_committed(self, secrets: Mapping[int | None, bytes]) -> None:
        recovered = {version: secret for version, secret in secrets.items() if version is not None}
        if self.state == "PartOfPublicNetwork" and recovered:
            self.state = "ReadingPrivateLedger"
            self.spawn(PrivateRecovery(self).run(recovered))

    def endorsed(self, certificate: str) -> None:
        self._credentials.certificate = certificate
        self._service_context = tls.server_context(certificate.encode(), self.key.private_pem)
        self._sign_self(Validity.of(certificate))
        self.member_frontend_open = True

    def service_committed(self, status: str, certificate: str) -> None:
        if status == "Open" and not self.user_frontend_open:
            self.log(f"Service open at seqno {self.store.current.seqno}")
            self.user_frontend_open = True
            self.replica.ledger.complete_recovery()

    # frontend.Host

    @property
    def store(self) -> Store:
        return self.replica.store

    @property
    def ledger(self) -> LedgerDirectory:
        return self.replica.ledger

    def can_write(self) -> bool:
        return self.consensus is not None and self.consensus.is_primary and self.state != "ReadingPrivateLedger"

    def execute(self, tx: Tx) -> TxID:
        assert self.consensus is not None
        txid = self.consensus.execute(tx)
        for effect in self._after.pop(id(tx), ()):
            effect()
        return txid

    def discard(self, tx: Tx) -> None:
        self._after.pop(id(tx), None)

    def at_capacity(self) -> bool:
        return self.consensus is not None and self.consensus.at_capacity

    async def forward(self, request: Request, interface: Interface) -> Response:
        assert self.consensus is not None
        primary = self.consensus.primary_id
        assert primary is not None
        try:
            reply = await self.links.forward(
                primary, _pack_request(request, interface.name), within=interface.forwarding_timeout
            )
        except ForwardFailed:
            message = f"Request was forwarded to node {primary}, but no response was received."
            return Response.error(504, "InternalError", message)
        return _unpack_response(reply)

    def metrics(self) -> Mapping[str, Any]:
        interfaces = {
            name: {
                "active": one.active,
                "errors": {"parsing": 0, "request_header_too_large": 0, "request_payload_too_large": 0},
                "hard_cap": self.config.interfaces[name].max_sessions_hard,
                "peak": one.peak,
                "soft_cap": self.config.interfaces[name].max_sessions_soft,
            }
            for name, one in self._listeners.items()
        }
        active, peak = (sum(one[key] for one in interfaces.values()) for key in ("active", "peak"))  # type: ignore[misc]
        return {"active": active, "interfaces": interfaces, "peak": peak}

    def secrets_for_joiner(self) -> Mapping[int, bytes]:
        return dict(self.replica.secrets.items())

    def service_private_key(self) -> bytes:
        return self._service().key.private_pem

    def endorse(self, csr: str, validity: Validity) -> str:
        return self._service().endorse(csr, validity)

    # gov_types.NodeHooks

    def startup_state(self) -> str:
        return self.state

    def state_root(self, tx: Tx) -> bytes:
        return self.store.tree.root(tx.snapshot + 1)

    def view_at(self, seqno: int) -> int | None:
        return self.store.view_at(seqno)

    def transaction_status(self, view: int, seqno: int) -> str:
        return "Unknown" if self.consensus is None else self.consensus.status(TxID(view, seqno))

    def committed(self) -> tuple[int, int]:
        return TxID(0, 0) if self.consensus is None else self.consensus.committed

    def ledger_secrets(self, tx: Tx) -> Mapping[int, bytes]:
        return dict(self.replica.secrets.items())

    def share_new_ledger_secret(self, tx: Tx, secret: bytes) -> None:
        secrets_table.broadcast(tx, {None: secret})

    def initiate_private_recovery(self, tx: Tx, secrets: Mapping[int, bytes]) -> None:
        if self.state != "PartOfPublicNetwork":
            raise RuntimeError(f"Node is {self.state}, expected PartOfPublicNetwork")
        secrets_table.broadcast(tx, secrets)

    def encrypted_ledger_secrets(self) -> tuple[Mapping[str, Any], ...]:
        return self.replica.secrets_history.values()

    def generate_endorsed_certificate(self, csr: str, valid_from: str, days: int) -> str:
        with _as_runtime_error():
            return self._service().endorse(csr, Validity.parse(valid_from, days))

    def generate_network_certificate(self, valid_from: str, days: int) -> str:
        with _as_runtime_error():
            return self._service().renew(Validity.parse(valid_from, days))

    def trigger_ledger_chunk(self, tx: Tx) -> None:
        assert self.consensus is not None
        self._after.setdefault(id(tx), []).append(self.consensus.end_chunk_at_next_signature)

    def trigger_snapshot(self, tx: Tx) -> None:
        # a snapshot forces a chunk boundary (CCF facts §5); the snapshot itself is not simulated
        self.trigger_ledger_chunk(tx)

    def log(self, message: str) -> None:
        self._logger.info(message)

    def _service(self) -> ServiceIdentity:
        if self.replica.service is None:
            raise RuntimeError("this node is not part of a service")
        return self.replica.service

    # Node to node.

    def _receive(self, sender: str, payload: bytes) -> None:
        if self.consensus is None or self._ended or not self.links.hears(sender):
            return
        try:
            self.consensus.receive(sender, payload)
        except Exception as error:
            self.fail(error)

    async def _answer_forwarded(self, sender: str, packed: bytes) -> bytes:
        name, request = _unpack_request(packed)
        interface = self.config.interfaces.get(name) or next(iter(self.config.interfaces.values()))
        try:
            response = await frontend.answer_forwarded(self, interface, request)
        except (NodeExit, LedgerError, raft.EntryRejected) as error:
            self.fail(error)
            raise
        return _pack_response(response)


def _alt_name(address: str) -> str:
    host = address.rpartition(":")[0].strip("[]")
    return f"iPAddress:{host}" if host.replace(".", "").isdigit() or ":" in host else f"dNSName:{host}"


def _write(path: Any, text: str) -> None:
    if path is None:
        return
    try:
        path.write_text(text)
    except OSError as error:
        raise abort(f"Could not write {path}: {error.strerror}") from error


@contextlib.contextmanager
def _as_runtime_error() -> Any:
    try:
        yield
    except ValueError as error:
        raise RuntimeError(str(error)) from error


def _pack_request(request: Request, interface: str) -> bytes:
    body = base64.b64encode(request.body).decode()
    return json.dumps([interface, request.method, request.target, dict(request.headers), body]).encode()


def _unpack_request(packed: bytes) -> tuple[str, Request]:
    interface, method, target, headers, body = json.loads(packed)
    return interface, Request(method, target, headers, base64.b64decode(body))


def _pack_response(response: Response) -> bytes:
    body = base64.b64encode(response.body).decode()
    return json.dumps([response.status, dict(response.headers), body]).encode()


def _unpack_response(packed: bytes) -> Response:
    status, headers, body = json.loads(packed)
    return Response(status, base64.b64decode(body), headers)
