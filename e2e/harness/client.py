"""A client of the service: writes to the journal, remembers what was committed, and asks for it again."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from e2e.harness.consortium import CLIENT_PORT, Door
from e2e.harness.waiting import eventually

T = TypeVar("T")

TX_ID_HEADER = "x-ms-ccf-transaction-id"


@dataclass(frozen=True)
class Written:
    """An entry of the journal and the TxID it was written at."""

    key: str
    value: str
    tx_id: str


@dataclass(frozen=True)
class Journal:
    """What a client asks of the service, over one connection to one node. Raises httpx.HTTPError."""

    http: httpx.AsyncClient
    base: str
    server_name: str

    async def write(self, key: str, value: str) -> Written:
        """Write an entry; it may or may not come to be committed."""
        answer = await self._ask("POST", "/app/journal", {"key": key, "value": value})
        answer.raise_for_status()
        return Written(key, value, answer.headers[TX_ID_HEADER])

    async def status(self, tx_id: str) -> str:
        """What the node says of a transaction: Unknown, Pending, Committed or Invalid."""
        answer = await self._ask("GET", f"/node/tx?transaction_id={tx_id}")
        answer.raise_for_status()
        return str(answer.json()["status"])

    async def read(self, key: str) -> str | None:
        """The value of a journal entry, None if there is none."""
        answer = await self._ask("GET", f"/app/journal?key={key}")
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return str(answer.json()["value"])

    async def holds(self, entry: Written) -> bool:
        """Whether the service knows the entry as committed and reads it back as it was written."""
        return await self.status(entry.tx_id) == "Committed" and await self.read(entry.key) == entry.value

    async def _ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        extensions = {"sni_hostname": self.server_name}
        if body is None:
            return await self.http.request(method, self.base + path, extensions=extensions)
        return await self.http.request(method, self.base + path, json=body, extensions=extensions)


@asynccontextmanager
async def connect(door: Door, address: str, patience: float = 10) -> AsyncIterator[Journal]:
    """A connection to the node behind a door, reached at `address`. Only the door's service certificate is trusted.

    `patience` is in seconds, for each answer.
    """
    context = ssl.create_default_context(cadata=door.service_certificate)
    async with httpx.AsyncClient(verify=context, trust_env=False, timeout=patience) as http:
        yield Journal(http, f"https://{address}", door.server_name)


@dataclass
class Client:
    """Talks to one node after the other; trusts only the service certificate."""

    committed: list[Written] = field(default_factory=list)
    count: int = 0

    def write(self, door: Door, number: int = 1) -> list[Written]:
        """Write entries and wait until each reads `Committed`; they are remembered."""
        entries = self.write_uncommitted(door, number)

        async def all_committed(journal: Journal) -> bool:
            return all([await journal.status(entry.tx_id) == "Committed" for entry in entries])

        eventually(f"{entries[-1].tx_id} is committed", lambda: _converse(door, all_committed), within=30)
        self.committed += entries
        return entries

    def write_uncommitted(self, door: Door, number: int = 1) -> list[Written]:
        """Write entries; nothing is waited for and nothing remembered."""

        async def write(journal: Journal) -> list[Written]:
            entries = []
            for _ in range(number):
                self.count += 1
                entries.append(await journal.write(f"entry-{self.count}", f"value-{self.count}"))
            return entries

        return _converse(door, write)

    def status(self, door: Door, tx_id: str) -> str:
        """What the node says of a transaction: Unknown, Pending, Committed or Invalid."""
        return _converse(door, lambda journal: journal.status(tx_id))

    def read(self, door: Door, key: str) -> str | None:
        """The value of a journal entry, None if there is none."""
        return _converse(door, lambda journal: journal.read(key))

    def missing(self, door: Door) -> list[Written]:
        """Entries once committed that the service no longer knows as committed, or does not read back."""
        return missing(door, self.committed)


def missing(door: Door, entries: Sequence[Written]) -> list[Written]:
    """Those of the entries that the service does not know as committed, or does not read back."""

    async def look(journal: Journal) -> list[Written]:
        return [entry for entry in entries if not await journal.holds(entry)]

    return _converse(door, look)


def _converse(door: Door, talk: Callable[[Journal], Awaitable[T]]) -> T:
    async def conversation(address: str) -> T:
        async with connect(door, address) as journal:
            return await talk(journal)

    with door.reach.to(door.kubectl, door.pod, CLIENT_PORT) as address:
        return asyncio.run(conversation(address))
