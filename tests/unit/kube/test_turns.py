from __future__ import annotations

import asyncio

from ccf_operator.kube.turns import Turns, unhurried


class Requests:
    """Requests that last until they are told to end."""

    def __init__(self, turns: Turns) -> None:
        self.turns, self.under_way, self.most = turns, 0, 0
        self.end = asyncio.Event()
        self.begun: asyncio.Queue[str] = asyncio.Queue()

    async def one(self, name: str, *, waits: bool) -> None:
        unhurried.set(waits)
        async with self.turns.turn():
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            self.begun.put_nowait(name)
            await self.end.wait()
            self.under_way -= 1


async def test_no_more_than_so_many_at_once_and_all_get_their_turn() -> None:
    requests = Requests(Turns(at_once=3, unhurried_at_once=1))
    async with asyncio.TaskGroup() as tasks:
        for number in range(10):
            tasks.create_task(requests.one(str(number), waits=False))
        for _ in range(3):
            await requests.begun.get()
        assert requests.begun.empty()
        requests.end.set()
    assert requests.most == 3
    assert requests.begun.qsize() == 7


async def test_any_number_that_only_wait_hold_up_nobody_else() -> None:
    requests = Requests(Turns(at_once=3, unhurried_at_once=1))
    async with asyncio.TaskGroup() as tasks:
        for number in range(100):
            tasks.create_task(requests.one(f"waits {number}", waits=True))
        assert await requests.begun.get() == "waits 0"
        for name in ("first", "second"):
            tasks.create_task(requests.one(name, waits=False))
            assert await requests.begun.get() == name
        requests.end.set()


async def test_a_turn_that_is_not_waited_for_any_longer_is_free() -> None:
    requests = Requests(Turns(at_once=1, unhurried_at_once=1))
    first = asyncio.create_task(requests.one("first", waits=True))
    await requests.begun.get()
    second = asyncio.create_task(requests.one("second", waits=True))
    await asyncio.sleep(0)
    second.cancel()
    first.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    requests.end.set()
    await requests.one("third", waits=False)
