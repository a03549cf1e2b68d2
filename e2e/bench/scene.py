"""The scene of one run: an open network, the loss of its majority, and what its members do once they are asked."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from ccf_operator.domain.quorum import majority
from ccf_operator.kube.gateway import Raw
from ccf_operator.render import names
from e2e.bench.moments import Moment, address
from e2e.bench.recorder import Recorder
from e2e.harness.consortium import patiently
from e2e.harness.network import Network
from e2e.harness.waiting import NeverHappened

PATIENCE = 120.0
"""Seconds that any step may take."""
EVERY = 0.05
"""Seconds between two questions to a node."""

Marks = dict[Moment, float]


@dataclass(frozen=True)
class Scene:
    """A network that is about to lose its majority, as it is known beforehand."""

    network: Network
    recorder: Recorder
    before: Raw
    """The network object while all was well."""
    killed: Sequence[str]
    survivor: str

    @property
    def old(self) -> list[str]:
        """All nodes there were."""
        return [*self.killed, self.survivor]

    def kill(self) -> float:
        """End the processes of the majority side by side; when that was done."""
        with ThreadPoolExecutor() as hands:
            list(hands.map(self.network.kill, self.killed))
        return time.monotonic()

    def let_members_open(self, winner: str, certificate: str, nodes: Sequence[str]) -> Marks:
        """The members vote and submit their shares through the winner; then a quorum of the nodes is open."""
        asked = time.monotonic()
        network = self.network
        door = network.door(winner, certificate)
        patiently("the members accept", lambda: network.consortium.accept_recovery(door))
        patiently("the members submit shares", lambda: network.consortium.submit_shares(door))
        asyncio.run(self._open(nodes))
        marks = {Moment.ASKED: asked, Moment.OPEN: time.monotonic()}
        missing = patiently("all that was committed is read back", lambda: [network.client.missing(door)])
        if missing[-1]:
            raise RuntimeError(f"committed before, missing now: {missing[-1]}")
        return marks

    def address(self, pod: str) -> str:
        """The address of a running node."""
        return self.recorder.wait_for(f"{pod} runs", lambda events: address(events, pod), within=PATIENCE)

    async def _open(self, nodes: Sequence[str]) -> None:
        """Until a quorum of the nodes says `ready/app`, which they do once the opening is committed."""
        async with asking() as http:
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                answers = await asyncio.gather(*(_is_ready(http, self.address(node)) for node in nodes))
                if sum(answers) >= majority(len(nodes)):
                    return
                await asyncio.sleep(EVERY)
        raise NeverHappened(f"the service is open on a quorum: not within {PATIENCE:g} s")


def asking() -> httpx.AsyncClient:
    """A client for the nodes' operator interfaces; it believes whoever answers, for nothing here rests on it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return httpx.AsyncClient(verify=context, trust_env=False, timeout=2.0)


def url(node_address: str, path: str) -> str:
    """Where a node's operator interface answers."""
    return f"https://{node_address}:{names.OPERATOR_PORT}{path}"


async def _is_ready(http: httpx.AsyncClient, node_address: str) -> bool:
    try:
        return (await http.get(url(node_address, "/node/ready/app"))).status_code == 204
    except httpx.HTTPError:
        return False
