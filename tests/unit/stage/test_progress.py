from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from ccf_operator.ccf.ledger_files import read_lineage
from ccf_operator.domain.observation import ReadBytes
from ccf_operator.reconcile import asking_stages
from ccf_operator.reconcile.asking_stages import ask
from ccf_operator.stage.progress import told
from ccf_operator.stage.reading import Reading
from ccf_operator.stage.staging import survey_with_progress
from unit.stage.volumes import put_ledger


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket(socket.AF_INET) as found:
        found.bind((host, 0))
        return int(found.getsockname()[1])


def test_what_is_read_of_one_file_after_the_other_adds_up() -> None:
    reading = Reading()
    reading.expect(100)
    reading.enter("ledger_1")
    reading.reach(30)
    reading.reach(20)
    assert reading.to_json() == {"done": 30, "total": 100, "file": "ledger_1"}
    reading.reach(60)
    reading.enter("ledger_2")
    reading.reach(50)
    assert reading.to_json() == {"done": 110, "total": 110, "file": "ledger_2"}, "files may have grown"


def test_a_survey_comes_further_within_a_file_and_ends_with_all_that_was_to_be_read(tmp_path: Path) -> None:
    put_ledger(tmp_path, 0, "damaged/intact")
    ledger = tmp_path / "gen-0" / "ledger"
    seen = set[tuple[str, int]]()

    class Watched(Reading):
        def reach(self, offset: int) -> None:
            super().reach(offset)
            seen.add((self.file, offset))

    reading = Watched()
    survey_with_progress(read_lineage([ledger]), lambda *_event, **_facts: None, reading)
    assert reading.done == reading.total == sum(file.stat().st_size for file in ledger.iterdir())
    assert len(seen) > 2 * len(list(ledger.iterdir())), "more than the beginning and the end of each file"


async def test_whoever_asks_is_told_how_far_the_reading_has_come_as_long_as_it_lasts() -> None:
    reading, port = Reading(total=100), free_port()
    reading.enter("ledger_1")
    with told(reading, f"127.0.0.1:{port}"):
        assert await ask("127.0.0.1", port) == ReadBytes(0, 100, "ledger_1")
        reading.reach(30)
        assert await ask("127.0.0.1", port) == ReadBytes(30, 100, "ledger_1")
    assert await ask("127.0.0.1", port) is None


async def test_it_is_told_on_every_address_where_none_is_given() -> None:
    port = free_port()
    with told(Reading(total=1), f":{port}"):
        assert await ask("127.0.0.1", port) == ReadBytes(0, 1)


@pytest.mark.parametrize("address", ["192.0.2.1:80", "127.0.0.1:x", "nothing"])
def test_where_it_cannot_be_told_reading_goes_on(address: str) -> None:
    with told(Reading(), address):
        pass


async def test_one_that_connects_and_says_nothing_does_not_keep_others_waiting_for_long() -> None:
    port = free_port()
    with told(Reading(total=1), f"127.0.0.1:{port}"), socket.create_connection(("127.0.0.1", port)):
        assert await ask("127.0.0.1", port) == ReadBytes(0, 1)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n[]",
        b'\r\n\r\n{"done": 5, "total": 3}',
        b'\r\n\r\n{"done": -1, "total": 3}',
        b'\r\n\r\n{"done": true, "total": 3}',
        b'\r\n\r\n{"done": "1", "total": 3}',
        b'\r\n\r\n{"done": 1, "total": ' + b"9" * 400 + b"}",
        b"x" * 10_000,
    ],
)
async def test_what_cannot_be_understood_says_nothing(said: bytes) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        assert await ask("127.0.0.1", server.sockets[0].getsockname()[1]) is None


async def test_one_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_stages, "ASK_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        assert await ask("127.0.0.1", deaf.getsockname()[1]) is None
