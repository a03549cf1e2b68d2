"""Candidates that hang, crash or take their time: none of them holds up the others.

What a candidate does is bent by the spec's `command`, which the pods of a recovery are made from.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from e2e.harness.network import Network

NewNetwork = Callable[..., Network]

HANG = "trap 'exit 0' TERM; sleep 86400 & wait"
"""It never answers. Told to end it does, which saves the grace period."""
CRASH = "echo terminate called >&2; exit 134"
SLOW = 'export CCF_SIM_REPLAY_MS=100; exec "$@"'
"""Only the simulator knows this variable."""
DEADLINE = 10.0
"""Seconds without progress after which a candidate is not waited for any more."""


def test_a_candidate_that_hangs_is_not_waited_for(network: NewNetwork) -> None:
    bank = network().busy()
    volume = _lose_all_with_a_bent_candidate(bank, HANG)
    attempt = bank.wait_for_winner()
    assert _result(attempt, volume) == "TimedOut"
    assert attempt["winner"]["volume"] != volume
    bank.let_members_recover()
    bank.check_nothing_is_missing()


def test_a_candidate_that_crashes_holds_nobody_up(network: NewNetwork) -> None:
    bank = network().busy()
    volume = _lose_all_with_a_bent_candidate(bank, CRASH)
    attempt = bank.wait_for_winner()
    assert _result(attempt, volume) == "Damaged"
    assert attempt["winner"]["volume"] != volume
    bank.let_members_recover()
    bank.check_nothing_is_missing()


@pytest.mark.skipif("CCF_IMAGE" in os.environ, reason="a real CCF cannot be slowed down from outside")
def test_a_slow_candidate_that_makes_progress_is_waited_for(network: NewNetwork) -> None:
    bank = network().busy()
    bank.write(80)
    volume = _lose_all_with_a_bent_candidate(bank, SLOW)
    attempt = bank.wait_for_winner()
    slow = next(c for c in attempt["candidates"] if c["volume"] == volume)
    assert slow["result"] == "Recovered"
    assert _moment(slow["progressAt"]) - _moment(slow["startedAt"]) > timedelta(seconds=DEADLINE)
    bank.let_members_recover()
    bank.check_nothing_is_missing()


def _lose_all_with_a_bent_candidate(bank: Network, script: str) -> str:
    """Give the spec a command that does something else for the candidate on one volume; that volume."""
    volume = bank.volume_of(bank.primary())
    bank.kubectl.apply(
        bank.manifest(command=_bent(bank, volume, script), recovery={"candidateDeadline": f"{DEADLINE:g}s"})
    )
    bank.kill(*bank.trusted())
    return volume


def _bent(bank: Network, volume: str, script: str) -> Sequence[str]:
    command: Sequence[str] = bank.object()["spec"]["command"]
    ours = f"grep -q '\"Recover\"' /config/config.json && grep -q {shlex.quote(volume)} /config/stage.json"
    return ["/bin/sh", "-c", f'if {ours}; then {script}; fi; exec "$@"', *command[:1], *command]


def _result(attempt: dict[str, Any], volume: str) -> str | None:
    found: str | None = next(c for c in attempt["candidates"] if c["volume"] == volume).get("result")
    return found


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
