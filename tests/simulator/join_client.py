"""A joiner's side of joining: ask, wait, give up (CCF facts §7.1)."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from simulator import http1
from simulator.config import Address, JoinCommand
from simulator.exits import abort
from simulator.http1 import Request, Response


@dataclass(frozen=True)
class Joined:
    """What a service hands to a node it trusts."""

    service_certificate: str  # PEM
    service_key: bytes  # PEM
    endorsed_certificate: str  # PEM, of the node
    ledger_secrets: Mapping[int, bytes]
    public_only: bool
    recovered_up_to: int  # last signature the service was recovered from; 0 if it is not being recovered


class Joiner:
    """Asks the target until it is trusted."""

    def __init__(
        self,
        command: JoinCommand,
        body: Mapping[str, Any],
        context: ssl.SSLContext,
        *,
        log: Callable[[str], None],
    ) -> None:
        self._command = command
        self._body = json.dumps(body).encode()
        self._context = context
        self._log = log

    async def wait_for_snapshot(self) -> None:
        """Ask for a recent snapshot as often as the configuration says; services here never have one (CCF facts §2)."""
        if not self._command.fetch_recent_snapshot:
            return
        for attempt in range(self._command.fetch_snapshot_attempts):
            if attempt:
                await asyncio.sleep(self._command.fetch_snapshot_interval)
            try:
                await self._exchange(self._command.target, Request("GET", "/node/snapshot?since=0", {}))
            except (OSError, TimeoutError) as error:
                self._log(f"Could not fetch a snapshot: {error}")

    async def join(self) -> Joined:
        """Returns once trusted. Raises NodeExit if the service refuses, or is not the one expected."""
        while True:
            outcome = await self._attempt()
            if outcome is not None:
                return outcome
            await asyncio.sleep(self._command.retry_timeout)

    async def _attempt(self) -> Joined | None:
        target, request = self._command.target, Request("POST", "/node/join", _JSON, self._body)
        try:
            response = await self._exchange(target, request)
            hops = 0
            while 300 <= response.status < 400 and self._command.follow_redirect and hops < 5:
                target, hops = _location(response, target), hops + 1
                response = await self._exchange(target, request)
        except ssl.SSLCertVerificationError as error:
            raise abort(f"Early error when joining: certificate verification failed: {error.verify_message}") from error
        except (OSError, TimeoutError) as error:
            self._log(f"Could not reach {target}, will try again: {error or type(error).__name__}")
            return None
        if 400 <= response.status < 500:
            reason = response.body.decode(errors="replace")
            raise abort(f"Join request to {target} returned {response.status}: {reason}")
        if response.status != 200:
            self._log(f"Join request to {target} returned {response.status}, will try again")
            return None
        return self._outcome(json.loads(response.body))

    def _outcome(self, answer: Mapping[str, Any]) -> Joined | None:
        if answer["node_status"] == "Pending":
            self._log(f"Node {answer['node_id']} is waiting for votes of members to be trusted")
            return None
        network = answer["network_info"]
        self._log(f"Node has now joined the network as node {answer['node_id']}")
        return Joined(
            network["identity"]["cert"],
            network["identity"]["priv_key"].encode(),
            network["endorsed_certificate"],
            {int(version): base64.b64decode(key) for version, key in network["ledger_secrets"].items()},
            network["public_only"],
            network["last_recovered_signed_idx"],
        )

    async def _exchange(self, target: Address, request: Request) -> Response:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(target.host, target.port, ssl=self._context)
            try:
                return await http1.ask(reader, writer, request)
            finally:
                writer.transport.abort()


_JSON = {"content-type": "application/json"}


def _location(response: Response, current: Address) -> Address:
    where = urlsplit(response.headers.get("location", ""))
    return Address(where.hostname, where.port or 443) if where.hostname else current
