"""A node's links to others, which a test can cut: what goes over a cut link is lost, as in a partition."""

from __future__ import annotations

from simulator.transport import ForwardFailed, Transport


class Links:
    """`cut` holds ids of nodes that this one neither hears nor reaches; both ends must cut for a whole partition."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.cut: set[str] = set()

    def hears(self, sender: str) -> bool:
        return sender not in self.cut

    def associate(self, node_id: str, address: str) -> None:
        self._transport.associate(node_id, address)

    def send(self, to: str, payload: bytes) -> None:
        if to not in self.cut:
            self._transport.send(to, payload)

    async def forward(self, to: str, request: bytes, *, within: float) -> bytes:
        """Raises ForwardFailed."""
        if to in self.cut:
            raise ForwardFailed(f"{to} is cut off")
        return await self._transport.forward(to, request, within=within)
