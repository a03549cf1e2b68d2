"""Whether names of nodes resolve, asked of the operator's own resolver, without a look waiting for it.

Asked only of joiners that nobody has heard of: what they cannot resolve the operator mostly cannot either.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

from ccf_operator.domain.observation import NamesView, Resolution

RESOLVE_SECONDS = 5.0
"""How long the resolver may take; glibc asks each server for five seconds."""
KNOWN_SECONDS = 30.0
"""How long what it said is taken for granted."""

_CONFIGURATION = Path("/etc/resolv.conf")
_SERVICES = "svc."
"""How the search domain of the cluster's Services begins."""


class Resolving:
    """Resolves the names of one network's nodes."""

    def __init__(self, heard: Callable[[], None], configuration: Path = _CONFIGURATION) -> None:
        """`heard` is called when a name has been resolved, or has not."""
        self._heard, self._configuration = heard, configuration
        self._asked: dict[str, asyncio.Task[Resolution]] = {}
        self._said: dict[str, tuple[float, Resolution]] = {}

    def what_is_known(self, names: Iterable[str]) -> NamesView:
        """What the resolver has said of these names; it is asked of those it has said nothing of lately."""
        wanted = set(names)
        if not wanted:
            self._said.clear()
            return NamesView()
        now = asyncio.get_running_loop().time()
        self._said = {name: said for name, said in self._said.items() if name in wanted}
        for name in wanted - self._asked.keys():
            if name not in self._said or now - self._said[name][0] > KNOWN_SECONDS:
                self._asked[name] = asyncio.create_task(self._ask(name))
        return NamesView({name: said for name, (_, said) in self._said.items()}, self._search_domain())

    async def _ask(self, name: str) -> Resolution:
        try:
            found = await _resolve(name)
        finally:
            self._asked.pop(name, None)
        self._said[name] = (asyncio.get_running_loop().time(), found)
        self._heard()
        return found

    def _search_domain(self) -> str | None:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return search_domain(self._configuration.read_text())
        return None


def search_domain(configuration: str) -> str | None:
    """The cluster's domain by the `search` line of a pod's resolv.conf; None where there is no such entry."""
    for line in configuration.splitlines():
        keyword, *domains = line.split() or [""]
        if keyword == "search":
            return next((one.removeprefix(_SERVICES) for one in domains if one.startswith(_SERVICES)), None)
    return None


async def _resolve(name: str) -> Resolution:
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except TimeoutError:
        return Resolution.NO_ANSWER
    except socket.gaierror as error:
        return Resolution.NO_ANSWER if error.errno == socket.EAI_AGAIN else Resolution.UNKNOWN
    except OSError:
        return Resolution.NO_ANSWER
    families = {family for family, *_ in found}
    return Resolution.ADDRESS if socket.AF_INET in families else Resolution.NO_IPV4
