"""A TLS server on loopback that answers as a real CCF node was recorded to, and keeps what it was sent."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ccf_operator.ccf.identity import node_id

RECORDINGS = json.loads((Path(__file__).parents[2] / "fixtures" / "ccf" / "recordings.json").read_text())
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CCF Node")])
Answer = tuple[int, bytes]


@dataclass
class Served:
    """A running server: its port, its node id, the bytes it was sent, and how many connections were opened."""

    port: int
    node_id: str
    received: bytearray = field(default_factory=bytearray)
    connections: int = 0


def recorded_answers(moment: str, node: str, own_id: str) -> dict[str, Answer]:
    """What the node answered on its Node-endorsed interface at that moment, with `own_id` in place of its id."""
    rows = [
        a
        for a in RECORDINGS
        if (a["moment"], a["node"], a["interface"]) == (moment, node, "node-endorsed interface")
        and a["method"] == "GET"
        and "status" in a["answer"]
    ]
    recorded_id = next(a["answer"]["body"]["node_id"] for a in rows if a["path"] == "/node/state")
    return {
        a["path"]: (
            a["answer"]["status"],
            json.dumps(a["answer"]["body"]).replace(recorded_id, own_id).encode() if a["answer"]["body"] else b"",
        )
        for a in rows
    }


@asynccontextmanager
async def serve(
    tmp_path: Path,
    answer: Callable[[str, str], Answer | None],
    *,
    expired: bool = False,
    host: str = "127.0.0.1",
) -> AsyncIterator[Served]:
    """Serve `answer(path, own node id)`; None never answers."""
    key = ec.generate_private_key(ec.SECP384R1())
    until = datetime.now(UTC) + timedelta(days=-1 if expired else 1)
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    certificate = builder.not_valid_before(until - timedelta(days=1)).not_valid_after(until).sign(key, hashes.SHA384())
    der = certificate.public_bytes(Encoding.DER)
    pem = tmp_path / f"{node_id(der)}.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    served = Served(0, node_id(der))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.connections += 1
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                served.received += request
                reply = answer(request.split(b" ")[1].decode(), served.node_id)
                if reply is None:
                    await reader.read()
                    return
                status, body = reply
                close = status == 500 and b"SessionConsistencyLost" in body
                head = f"HTTP/1.1 {status} X\r\n" + ("connection: close\r\n" if close else "")
                length = "" if status == 204 else f"content-length: {len(body)}\r\n"
                writer.write((head + length + "\r\n").encode() + body)
                await writer.drain()
                if close:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            served.received += b""
        finally:
            writer.close()

    server = await asyncio.start_server(talk, host, 0, ssl=context)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()


def from_table(table: Mapping[str, Answer | None]) -> Callable[[str, str], Answer | None]:
    """Answers by path; 404 for the rest."""
    return lambda path, _own: table.get(path, (404, b""))
