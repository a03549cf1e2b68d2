"""TLS connections to a CCF node that carry nothing until the peer has proven its node id.

A node's certificate is self-signed or signed by a service that may not be known yet, may be expired, and names a host
the operator does not use: the ordinary checks are of no use. What identifies a node is its key. The handshake proves
that the peer holds the key of the certificate it sent; the check of that key happens on the very connection, between
handshake and first request.
"""

# ruff: noqa: ASYNC109 — the timeouts are part of httpcore's interface

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Protocol, cast

import httpcore
import httpx

from ccf_operator.ccf.identity import BadCertificate, certificate_ends_at, endorsed_by, node_id


class NotTheNode(Exception):
    """The peer proved another node id than the one expected."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected node {expected[:8]}, found node {found[:8]}")
        self.expected = expected
        self.found = found


class NotEndorsed(Exception):
    """The peer's certificate was not issued by the service."""


class Admission(Protocol):
    """Decides whom a connection may be used with."""

    def connect(self) -> None:
        """Note that a connection has been made, of which nothing is known yet."""

    def admit(self, certificate: bytes | None) -> None:
        """Check the certificate (DER) of a finished handshake. Raises NotTheNode, NotEndorsed or BadCertificate."""


class PeerIdentity:
    """The node id that peers must prove; with None expected, the first peer fixes it."""

    def __init__(self, expected: str | None) -> None:
        self._expected = expected
        self.connected = False
        self.proven: str | None = None
        self.certificate_expires_at: datetime | None = None

    def connect(self) -> None:
        """Note that a connection has been made."""
        self.connected = True

    def admit(self, certificate: bytes | None) -> None:
        """Check the certificate (DER) of a finished handshake. Raises NotTheNode, BadCertificate."""
        if certificate is None:
            raise BadCertificate("the peer sent no certificate")
        found = node_id(certificate)
        if self._expected is None:
            self._expected = found
        if found != self._expected:
            raise NotTheNode(self._expected, found)
        self.proven, self.certificate_expires_at = found, certificate_ends_at(certificate)


class EndorsedPeer:
    """One node, under a certificate that the service whose certificate is given (PEM) has issued to it.

    For the Service-endorsed interface: who is admitted has the node's key, and the service's key has vouched for it.
    """

    def __init__(self, service_certificate: str, expected_node_id: str) -> None:
        self._service = service_certificate
        self._peer = PeerIdentity(expected_node_id)

    def connect(self) -> None:
        """Note that a connection has been made."""
        self._peer.connect()

    def admit(self, certificate: bytes | None) -> None:
        """Check the certificate (DER) of a finished handshake. Raises NotTheNode, NotEndorsed, BadCertificate."""
        self._peer.admit(certificate)
        assert certificate is not None
        if not endorsed_by(certificate, self._service):
            raise NotEndorsed(f"node {self._peer.proven} shows a certificate of another service")


class ProvenTransport(httpx.AsyncBaseTransport):
    """An httpx transport over one connection at a time, each admitted by `identity` before it is used."""

    def __init__(self, identity: Admission) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_handshake_only(),
            max_connections=1,
            network_backend=_CheckingBackend(identity),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._answer.aiter_stream()

    async def aclose(self) -> None:
        await self._answer.aclose()


class _CheckingBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, identity: Admission) -> None:
        self._identity = identity
        self._real = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._real.connect_tcp(host, port, timeout, local_address, socket_options)
        self._identity.connect()
        return _Unproven(stream, self._identity)

    async def sleep(self, seconds: float) -> None:
        await self._real.sleep(seconds)


class _Unproven(httpcore.AsyncNetworkStream):
    """A TCP stream on which nothing can be sent but a TLS handshake."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, identity: Admission) -> None:
        self._stream = stream
        self._identity = identity

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        try:
            tls = cast(ssl.SSLObject, stream.get_extra_info("ssl_object"))
            self._identity.admit(tls.getpeercert(binary_form=True))
        except BaseException:
            await stream.aclose()
            raise
        return stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        raise httpcore.UnsupportedProtocol("nothing is read before the peer is proven")

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        raise httpcore.UnsupportedProtocol("nothing is sent before the peer is proven")

    async def aclose(self) -> None:
        await self._stream.aclose()


def _handshake_only() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # PeerIdentity decides instead; the handshake still proves possession of the key.
    context.verify_mode = ssl.CERT_NONE
    return context
