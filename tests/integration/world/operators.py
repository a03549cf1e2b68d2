"""The real operator: its own clients, its own account, its own event loop, behind a proxy of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import os
import socket
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ccf_operator.application import serve
from ccf_operator.reconcile.observe import now
from ccf_operator.settings import Settings
from integration.control_plane import ControlPlane
from integration.world.firewall import Firewall
from integration.world.proxy import ApiProxy, Hook, kubeconfig

_numbers = itertools.count(1)


@dataclass
class ShiftedClock:
    """The time, with all that was waited for without waiting."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return now() + self.ahead

    def advance(self, seconds: float) -> None:
        """Let so many seconds have passed."""
        self.ahead += timedelta(seconds=seconds)


@dataclass
class RunningOperator:
    """One life of an operator, in a thread: as it ends it cancels whatever else runs in its event loop."""

    name: str
    proxy: ApiProxy
    _loop: asyncio.AbstractEventLoop
    _serving: asyncio.Task[None]
    _stop: asyncio.Event
    _ended: concurrent.futures.Future[None]
    firewall: Firewall
    clock: ShiftedClock

    @classmethod
    async def start(
        cls,
        control_plane: ControlPlane,
        namespace: str,
        directory: Path,
        *,
        before: Hook,
        after: Hook,
        cluster_domain: str = "cluster.local",
    ) -> RunningOperator:
        """Start one, and wait until it watches the networks."""
        name = f"operator-{next(_numbers)}"
        proxy = ApiProxy(control_plane, before, after)
        url = await proxy.start()
        # Both of its clients read the variable while they start; two operators are started one after the other.
        os.environ["KUBECONFIG"] = str(kubeconfig(directory / f"{name}.kubeconfig", url, control_plane.operator_token))
        settings = Settings(
            image="registry.example/ccf-operator:test",
            namespaces=(namespace,),
            role_binding="ccf-operator-system-ccf-operator-networks",
            health_port=_free_port(),
            pod_name=name,
            cluster_domain=cluster_domain,
        )
        firewall, clock = Firewall(), ShiftedClock()
        begun: concurrent.futures.Future[RunningOperator] = concurrent.futures.Future()
        ended: concurrent.futures.Future[None] = concurrent.futures.Future()

        async def live() -> None:
            stop = asyncio.Event()
            firewall.stand_before(asyncio.get_running_loop())
            serving = asyncio.create_task(serve(settings, stop, clock), name=name)
            begun.set_result(cls(name, proxy, asyncio.get_running_loop(), serving, stop, ended, firewall, clock))
            await asyncio.wait({serving})

        def thread() -> None:
            try:
                asyncio.run(live())
            finally:
                ended.set_result(None)

        threading.Thread(target=thread, name=name, daemon=True).start()
        running = await asyncio.wrap_future(begun)
        await proxy.until(lambda call: call.watches and "ccfnetworks" in call.path)
        return running

    async def kill(self) -> None:
        """End it between any two of its steps: from this moment on it reaches nobody."""
        self.proxy.sever()
        if not self._ended.done():
            self._loop.call_soon_threadsafe(self._serving.cancel)
            await asyncio.wrap_future(self._ended)
        await self.proxy.close()

    async def stop(self) -> None:
        """End it as it is told to end by a signal."""
        self._loop.call_soon_threadsafe(self._stop.set)
        await asyncio.wrap_future(self._ended)
        await self.proxy.close()

    async def at_rest(self) -> None:
        """Until it has asked the API server nothing for a second: it sleeps, for it never thinks as long as that."""
        asked = -1
        while asked != (asked := sum(not call.watches for call in self.proxy.calls)):  # noqa: ASYNC110
            await asyncio.sleep(1)

    @property
    def writes(self) -> list[str]:
        """What it has written, with the API server's answers."""
        return [f"{call} {call.status}" for call in self.proxy.calls if call.writes]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
