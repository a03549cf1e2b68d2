"""What stands between an operator and the nodes: a network policy, or a pod network that fails."""

from __future__ import annotations

import asyncio
from typing import Any

from ccf_operator.render import names


class Firewall:
    """Lets through what an event loop connects to, or refuses it the nodes."""

    def __init__(self) -> None:
        self.closed = False

    def stand_before(self, loop: asyncio.AbstractEventLoop) -> None:
        """See all connections that are made in this loop from now on."""
        watched: Any = loop
        connect = watched.create_connection

        async def pass_on(protocol: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
            if self.closed and port == names.OPERATOR_PORT:
                raise ConnectionRefusedError(111, "Connection refused")
            return await connect(protocol, host, port, **how)

        watched.create_connection = pass_on
