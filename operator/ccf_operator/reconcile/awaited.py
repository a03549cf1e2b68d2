"""ConfigMaps that networks wait for: a network that cannot start is looked at ever more seldom, these are not.

They are people's own, so no label of ours is on them by which they could be watched, and all of a cluster's are many.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from ccf_operator import logs
from ccf_operator.kube import turns
from ccf_operator.kube.errors import KubeError
from ccf_operator.kube.gateway import Gateway

EVERY_SECONDS = 2.0
AT_ONCE = 10
"""How many ConfigMaps are asked for each time, in turn: the more are waited for, the longer it takes to notice one."""

Place = tuple[str, str]
"""Namespace and name of a ConfigMap."""

_log = logs.get(__name__)


@dataclass
class Awaited:
    """Wakes networks when a ConfigMap that they wait for appears or changes."""

    gateway: Gateway
    _waiting: dict[Place, dict[str, Callable[[], None]]] = field(default_factory=dict)
    _versions: dict[Place, str | None] = field(default_factory=dict)
    _order: deque[Place] = field(default_factory=deque)

    def expect(self, network: str, namespace: str, names: frozenset[str], wake: Callable[[], None]) -> None:
        """Call `wake` when one of the ConfigMaps changes; in place of what the network, given by UID, waited for."""
        places = {(namespace, name) for name in names}
        for place in [place for place, waiting in self._waiting.items() if network in waiting and place not in places]:
            self._leave(place, network)
        for place in places:
            if place not in self._waiting:
                self._waiting[place], self._versions[place] = {}, None
                self._order.append(place)
            self._waiting[place][network] = wake

    def forget(self, network: str) -> None:
        """The network, given by UID, waits for nothing any more."""
        self.expect(network, "", frozenset(), lambda: None)

    async def run(self) -> None:
        """For ever."""
        turns.unhurried.set(True)
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Ask for those whose turn it is."""
        for place in self._next():
            try:
                version = await self.gateway.version_of_config_map(*place)
            except KubeError as error:
                _log.warning("a ConfigMap could not be asked for", config_map="/".join(place), error=str(error))
                continue
            if place in self._waiting and self._versions[place] != version:
                self._versions[place] = version
                for wake in self._waiting[place].values():
                    wake()

    def _next(self) -> list[Place]:
        number = min(AT_ONCE, len(self._order))
        chosen = [self._order[index] for index in range(number)]
        self._order.rotate(-number)
        return chosen

    def _leave(self, place: Place, network: str) -> None:
        waiting = self._waiting[place]
        waiting.pop(network, None)
        if not waiting:
            del self._waiting[place], self._versions[place]
            self._order.remove(place)
