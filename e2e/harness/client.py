"""A client of the service: writes to the journal, remembers what was committed, and asks for it again."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from e2e.harness.consortium import CLIENT_PORT, Door
from e2e.harness.waiting import eventually

T = TypeVar("T")


@dataclass(frozen=True)
class Written:
    """An entry of the journal and the TxID it was written at."""

    key: str
    value: str
    tx_id: str


@dataclass
class Client:
    """Talks to one node after the other; trusts only the service certificate."""

    committed: list[Written] = field(default_factory=list)
    count: int = 0

    def write(self, door: Door, number: int = 1) -> list[Written]:
        """Write entries and wait until each reads `Committed`; they are remembered."""
        entries = self.write_uncommitted(door, number)
        eventually(
            f"{entries[-1].tx_id} is committed",
            lambda: all(self.status(door, entry.tx_id) == "Committed" for entry in entries),
            within=30,
        )
        self.committed += entries
        return entries

    def write_uncommitted(self, door: Door, number: int = 1) -> list[Written]:
        """Write entries; nothing is waited for and nothing remembered."""
        entries = []
        for _ in range(number):
            self.count += 1
            key, value = f"entry-{self.count}", f"value-{self.count}"
            answer = self._ask(door, "POST", "/app/journal", {"key": key, "value": value})
            answer.raise_for_status()
            entries.append(Written(key, value, answer.headers["x-ms-ccf-transaction-id"]))
        return entries

    def status(self, door: Door, tx_id: str) -> str:
        """What the node says of a transaction: Unknown, Pending, Committed or Invalid."""
        answer = self._ask(door, "GET", f"/node/tx?transaction_id={tx_id}")
        answer.raise_for_status()
        return str(answer.json()["status"])

    def read(self, door: Door, key: str) -> str | None:
        """The value of a journal entry, None if there is none."""
        answer = self._ask(door, "GET", f"/app/journal?key={key}")
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return str(answer.json()["value"])

    def missing(self, door: Door) -> list[Written]:
        """Entries once committed that the service no longer knows as committed, or does not read back."""
        return [
            entry
            for entry in self.committed
            if self.status(door, entry.tx_id) != "Committed" or self.read(door, entry.key) != entry.value
        ]

    def _ask(self, door: Door, method: str, path: str, body: object = None) -> httpx.Response:
        async def ask(address: str) -> httpx.Response:
            context = ssl.create_default_context(cadata=door.service_certificate)
            async with httpx.AsyncClient(verify=context, trust_env=False, timeout=10) as http:
                extensions = {"sni_hostname": door.server_name}
                url = f"https://{address}{path}"
                if body is None:
                    return await http.request(method, url, extensions=extensions)
                return await http.request(method, url, json=body, extensions=extensions)

        with door.reach.to(door.kubectl, door.pod, CLIENT_PORT) as address:
            return _run(lambda: ask(address))


def _run(act: Callable[[], Awaitable[T]]) -> T:
    async def main() -> T:
        return await act()

    return asyncio.run(main())
