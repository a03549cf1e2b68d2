"""The model on which all random histories rest does what simulated nodes do: the same events, the same answers."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from contract.conformance import Consortium, Model, Observed, Simulated, differences
from contract.sandbox import Sandbox

SCRIPTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "a service opens with three": (
        ("start", "a"), ("join", "b", "a"), ("join", "c", "a"), ("open",), ("write",),
    ),
    "a joiner of an open service waits until it is trusted, and one is removed": (
        ("start", "a"), ("join", "b", "a"), ("join", "c", "a"), ("open",), ("join", "d", "b"), ("trust", "d"),
        ("write",), ("remove", "c"), ("write",), ("delete_row", "c"),
    ),
    "one of three is killed, then the leader": (
        ("start", "a"), ("join", "b", "a"), ("join", "c", "a"), ("open",), ("write",), ("kill", "a"), ("write",),
        ("kill", "b"),
    ),
    "the leader is cut off and comes back": (
        ("start", "a"), ("join", "b", "a"), ("join", "c", "a"), ("open",), ("cut", "leader"), ("heal",), ("write",),
    ),
    "a lost service is recovered with a joiner": (
        ("start", "a"), ("join", "b", "a"), ("join", "c", "a"), ("open",), ("write",), ("kill", "a", "b", "c"),
        ("recover", "r", "a"), ("join", "s", "r"), ("open",), ("submit_shares",), ("write",),
    ),
    "a recovered service is recovered again": (
        ("start", "a"), ("open",), ("write",), ("kill", "a"), ("recover", "r", "a"), ("open",), ("submit_shares",),
        ("write",), ("kill", "r"), ("recover", "s", "r"), ("join", "t", "s"), ("open",), ("submit_shares",), ("write",),
    ),
}  # fmt: skip


async def _do(one: Consortium, step: tuple[str, ...]) -> None:
    what, *names = step
    if what in ("trust", "remove"):
        await one.change(**{what: names})
    else:
        await getattr(one, what)(*names)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
async def test_the_same_events_come_to_the_same_answers(script: tuple[tuple[str, ...], ...], tmp_path: Path) -> None:
    model, sandbox = Model(), Sandbox(tmp_path, election_timeout=0.6)
    simulated = Simulated(sandbox)
    try:
        for step in script:
            await _do(model, step)
            await _do(simulated, step)
            await _come_to(simulated, model.observe(), step)
    finally:
        await sandbox.close()


async def _come_to(simulated: Simulated, expected: dict[str, Observed], step: tuple[str, ...]) -> None:
    differ = [""]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(20):
            while differ or not await simulated.quiet():
                differ = differences(await simulated.observe(), expected)
    assert not differ, f"after {step}:\n" + "\n".join(differ)
