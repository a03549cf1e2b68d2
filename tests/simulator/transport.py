"""Node-to-node channels over TCP: proven peers, messages that may be lost, and forwarded requests (CCF facts §3).

A channel opens with a handshake in which both sides prove, with their key, the node id that goes with it, and show a
certificate that the service has endorsed: a node of another service cannot take part. Expired certificates are no obstacle
(CCF facts §7.4).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from simulator.config import Address
from simulator.identity import KeyPair


class ForwardFailed(Exception):
    """The other node could not be reached, or did not answer in time."""


@dataclass
class Credentials:
    """What a node proves itself with, and checks others against. May change while channels are open."""

    key: KeyPair  # the node's id is its fingerprint
    certificate: str | None  # PEM, endorsed by the service; None until the node has one: no channel opens before
    service_key: bytes | None  # DER of the service's public key (identity.certificate_key)


class Transport:
    """One node's listening socket and its channels to others."""

    def __init__(
        self,
        bind: Address,
        published: str,
        credentials: Credentials,
        *,
        on_message: Callable[[str, bytes], None],
        on_forward: Callable[[str, bytes], Awaitable[bytes]],
        max_message: int = 64 * 1024 * 1024,
    ) -> None:
        """`on_message(sender id, payload)` may not block. `on_forward(sender id, request)` gives the reply; if it raises,
        the asking side gets ForwardFailed."""
        raise NotImplementedError

    async def start(self) -> Address:
        """Listen; returns the bound address (port 0 = chosen). Raises OSError."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Close everything. `send` afterwards does nothing."""
        raise NotImplementedError

    def associate(self, node_id: str, address: str) -> None:
        """Where to reach a node: "host:port", resolved at each connection. Nodes that call are known without."""
        raise NotImplementedError

    def send(self, to: str, payload: bytes) -> None:
        """Best effort, in order while a channel lives; never blocks or raises. Dropped if the node cannot be reached."""
        raise NotImplementedError

    async def forward(self, to: str, request: bytes, *, timeout: float) -> bytes:
        """Ask another node and wait for its reply. Raises ForwardFailed."""
        raise NotImplementedError
