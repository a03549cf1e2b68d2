"""The operator killed between any two steps, or running twice: it goes on, never starts over, never does harm."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from e2e.harness.network import Network
from e2e.harness.operator import Operator

NewNetwork = Callable[..., Network]


def test_the_operator_killed_at_each_phase_goes_on(network: NewNetwork, operator: Operator) -> None:
    bank = network().busy()
    bank.kill(*bank.trusted()[:2])
    killed_at = _kill_at_each_step_until(bank, operator, ("AwaitingMembers", "AcceptService"))
    winner = bank.status()["attempt"]["winner"]
    bank.accept_recovery()
    killed_at += _kill_at_each_step_until(bank, operator, ("Running", "Running"))
    status = bank.wait_for_recovered()
    assert len(killed_at) >= 4
    assert ("AwaitingMembers", "AcceptService") in killed_at
    assert [past["number"] for past in status["history"]] == [1], "it went on and did not start over"
    assert status["history"][0]["winnerVolume"] == winner["volume"]
    assert status["history"][0]["txID"] == winner["txID"]
    bank.check_nothing_is_missing()


def _kill_at_each_step_until(bank: Network, operator: Operator, last: tuple[str, str]) -> list[tuple[str, str]]:
    """Kill the operator whenever the status has come to a step it was not at before, the last one included."""
    killed_at: list[tuple[str, str]] = []
    deadline = time.monotonic() + 120
    while last not in killed_at:
        step = _step(bank.status())
        if step is not None and step not in killed_at:
            operator.kill()
            killed_at.append(step)
        assert time.monotonic() < deadline, f"killed at {killed_at}, then nothing more came"
    return killed_at


def _step(status: dict[str, Any]) -> tuple[str, str] | None:
    if not status.get("attempt") and not status.get("history"):
        return None
    return status["phase"], status["reason"]


def test_two_operators_at_once_do_no_harm(network: NewNetwork, operator: Operator) -> None:
    operator.scale(2)
    bank = network().busy()
    bank.kill(*bank.trusted()[:2])
    attempt = bank.wait_for_winner()
    nodes = [candidate["node"] for candidate in attempt["candidates"]]
    assert len(set(nodes)) == len(nodes) == 3
    bank.accept_recovery()
    status = bank.wait_for_recovered()
    assert [past["number"] for past in status["history"]] == [1]
    assert status["history"][0]["txID"] == attempt["winner"]["txID"]
    assert len(bank.volumes()) == 3
    assert len(bank.pods()) == 3
    assert operator.undisturbed() == 2
    bank.check_nothing_is_missing()


@pytest.mark.extended
def test_the_operator_killed_while_a_network_is_made_finishes_it(network: NewNetwork, operator: Operator) -> None:
    bank = network()
    bank.create()
    bank.wait_for("the first node is planned", lambda s: s.get("nodes"))
    operator.kill()
    bank.wait_for("a joiner is planned", lambda s: len(s["nodes"]) > 1)
    operator.kill()
    bank.wait_for_phase("AwaitingOpen")
    operator.kill()
    bank.consortium.open(bank.door())
    bank.wait_for("every node serves", lambda s: s["phase"] == "Running" and s["readyNodes"] == "3/3")
    assert len(bank.pods()) == len(bank.volumes()) == 3
    bank.consortium.install_app(bank.door())
    bank.writer.start()
    bank.check_nothing_is_missing()
