"""Requests to one CCF node, and how they fail: what everything that asks a node rests on."""

from __future__ import annotations

import json
import ssl
from typing import NamedTuple

import httpcore
import httpx

from ccf_operator.ccf import parsing
from ccf_operator.ccf.identity import BadCertificate
from ccf_operator.ccf.proven_connection import PeerIdentity, ProvenTransport
from ccf_operator.render import names

LARGEST_ANSWER = 4 * 1024 * 1024
CONNECTION_FAILURES = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpx.RequestError,
    httpx.InvalidURL,
    ssl.SSLError,
    OSError,
    BadCertificate,
)
"""How a node fails to answer."""


class Answer(NamedTuple):
    """What a node answered."""

    status: int
    text: bytes

    def json(self) -> object:
        """The body. Raises Unreadable if it is not JSON."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError) as error:
            raise parsing.Unreadable("not JSON") from error


def open_client(host: str, port: int, identity: PeerIdentity) -> httpx.AsyncClient:
    """A client of the node at host:port, over one connection at a time; `identity` admits each before it is used."""
    return httpx.AsyncClient(
        transport=ProvenTransport(identity),
        base_url=f"https://{names.authority(host, port)}",
        headers={"accept-encoding": "identity"},
        timeout=None,
        trust_env=False,
    )


async def get(client: httpx.AsyncClient, path: str) -> Answer:
    """GET. Raises Unreadable for an answer without end, and CONNECTION_FAILURES."""
    answer = await exchange(client, "GET", path)
    if answer.status == 500 and b"SessionConsistencyLost" in answer.text:
        # The view changed under the connection; CCF closes it, and the next one is good (CCF facts §1).
        answer = await exchange(client, "GET", path)
    return answer


async def exchange(client: httpx.AsyncClient, method: str, path: str) -> Answer:
    """One request. Raises Unreadable for an answer without end, and CONNECTION_FAILURES."""
    async with client.stream(method, path) as response:
        text = b""
        async for piece in response.aiter_raw():
            text += piece
            if len(text) > LARGEST_ANSWER:
                raise parsing.Unreadable("longer than any answer of a node")
        return Answer(response.status_code, text)


def refusal(answer: Answer) -> str:
    """An answer that is none of those expected, in a sentence."""
    return f"status {answer.status}: {answer.text[:200].decode(errors='replace')}"


def why(error: BaseException) -> str:
    """An exception in a sentence."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
