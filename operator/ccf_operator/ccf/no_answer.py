"""Why nothing was heard of a node, from how the connection to it failed.

How far it got is part of the cause: before a connection the network between is in doubt, after it the process.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import TypeVar

import httpcore
import httpx

from ccf_operator.api.status import SilenceCause
from ccf_operator.ccf.answers import NoAnswer
from ccf_operator.ccf.identity import BadCertificate
from ccf_operator.ccf.proven_connection import PeerIdentity

WORDS_LIMIT = 200

_NO_WAY = frozenset(
    {
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.EHOSTDOWN,
        errno.EADDRNOTAVAIL,
        errno.EAFNOSUPPORT,
        errno.EPERM,
        errno.EACCES,
    }
)
"""Errors of `connect` by which the kernel says that there is no way, or that a firewall rule forbids it."""
_E = TypeVar("_E", bound=BaseException)
_TIMEOUTS = (TimeoutError, httpcore.TimeoutException, httpx.TimeoutException)


def no_answer(error: BaseException, peer: PeerIdentity) -> NoAnswer:
    """The cause of a failure (one of `exchange.CONNECTION_FAILURES`, or TimeoutError) to ask this peer."""
    chain = list(_chain(error))
    if any(isinstance(one, _TIMEOUTS) for one in chain) or _errno(chain) == errno.ETIMEDOUT:
        if not peer.connected:
            return NoAnswer(SilenceCause.TIMED_OUT, "connection timed out")
        return NoAnswer(SilenceCause.NO_REPLY, _where_it_stopped(peer))
    if (unknown := _first(chain, socket.gaierror)) is not None:
        return NoAnswer(SilenceCause.NAME_UNKNOWN, _words(f"name does not resolve: {unknown.strerror or unknown}"))
    if (refused := _first(chain, BadCertificate)) is not None:
        return NoAnswer(SilenceCause.TLS, _words(f"TLS: certificate: {refused}"))
    if (tls := _first(chain, ssl.SSLError)) is not None:
        return NoAnswer(SilenceCause.TLS, _words(f"TLS: {getattr(tls, 'reason', None) or tls}"))
    if not peer.connected:
        return _not_connected(chain)
    if peer.proven is None:
        return NoAnswer(SilenceCause.TLS, "TLS: the connection was closed before the handshake was done")
    return NoAnswer(SilenceCause.PROTOCOL, _words(f"not the answer of a node: {error}" if str(error) else "closed"))


def timed_out(peer: PeerIdentity) -> NoAnswer:
    """The cause where time is up for this peer."""
    return no_answer(TimeoutError(), peer)


def _not_connected(chain: list[BaseException]) -> NoAnswer:
    if _first(chain, ConnectionRefusedError) is not None:
        return NoAnswer(SilenceCause.REFUSED, "connection refused")
    failed = next((one for one in reversed(chain) if isinstance(one, OSError) and one.strerror), None)
    said = failed.strerror if failed is not None else str(chain[-1]) or type(chain[-1]).__name__
    code = _errno(chain)
    if code is None or code in _NO_WAY:
        return NoAnswer(SilenceCause.UNREACHABLE, _words(f"unreachable: {said}"))
    return NoAnswer(SilenceCause.UNREACHABLE, _words(f"no connection: {said}"))


def _where_it_stopped(peer: PeerIdentity) -> str:
    if peer.proven is None:
        return "connected, then nothing: the TLS handshake was never done"
    return "connected, then nothing: no answer to a request"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and what led to it, the innermost last; of a group of them the first."""
    known: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in known:
        known.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup) and one.exceptions:
            one = one.exceptions[0]
        else:
            one = one.__cause__ or one.__context__


def _first(chain: list[BaseException], kind: type[_E]) -> _E | None:
    return next((one for one in chain if isinstance(one, kind)), None)


def _errno(chain: list[BaseException]) -> int | None:
    return next((one.errno for one in reversed(chain) if isinstance(one, OSError) and one.errno is not None), None)


def _words(text: str) -> str:
    return " ".join(text.split())[:WORDS_LIMIT]
