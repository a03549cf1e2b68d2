"""One of three volumes is not what it was: the others recover all that was committed, and the damage is told.

A majority of members of every configuration is represented by two whole ledgers of three, so nobody need be asked.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e.harness.faults import Faults
from e2e.harness.kubectl import Kubectl
from e2e.harness.ledger_files import replace_files
from e2e.harness.network import Network
from e2e.harness.operator import Operator
from e2e.harness.tx_ids import tx_id

NewNetwork = Callable[..., Network]

SMALL_CHUNKS = {"ledger": {"chunkSize": "10KB"}}
"""So that a young ledger has committed chunks already."""
LEDGER = "gen-0/ledger"
FOREIGN = Path(__file__).parents[2] / "tests" / "fixtures" / "ccf" / "ledgers"


@dataclass(frozen=True)
class Damage:
    """What is done to a volume, and what the operator must make of it. `results`: any of these."""

    name: str
    results: frozenset[str]
    do: Callable[[Faults, Kubectl, str], None]


def _tail(faults: Faults, kubectl: Kubectl, volume: str) -> str:
    """The chunk that was written last, as a path on the volume."""
    return f"{LEDGER}/{_chunks(faults, kubectl, volume)[-1]}"


def _committed(faults: Faults, kubectl: Kubectl, volume: str, which: int) -> str:
    chunks = [name for name in _chunks(faults, kubectl, volume) if name.endswith(".committed")]
    assert len(chunks) >= 3, f"the ledger is too short for this scenario: {chunks}"
    return f"{LEDGER}/{chunks[which]}"


def _chunks(faults: Faults, kubectl: Kubectl, volume: str) -> list[str]:
    names = [file.name for file in (faults.volume_path(kubectl, volume) / LEDGER).glob("ledger_*")]
    return sorted(names, key=lambda name: int(re.findall(r"\d+", name)[0]))


def _wipe(faults: Faults, kubectl: Kubectl, volume: str) -> None:
    faults.wipe(kubectl, volume)


def _cut_the_tail(faults: Faults, kubectl: Kubectl, volume: str) -> None:
    tail = _tail(faults, kubectl, volume)
    faults.truncate(kubectl, volume, tail, (faults.volume_path(kubectl, volume) / tail).stat().st_size // 2)


def _empty_the_tail(faults: Faults, kubectl: Kubectl, volume: str) -> None:
    faults.truncate(kubectl, volume, _tail(faults, kubectl, volume), 0)


def _remove_the_tail(faults: Faults, kubectl: Kubectl, volume: str) -> None:
    faults.remove(kubectl, volume, _tail(faults, kubectl, volume))


def _flip_in_the_middle(faults: Faults, kubectl: Kubectl, volume: str) -> None:
    faults.flip(kubectl, volume, _committed(faults, kubectl, volume, 1), 1000)


def _cut_in_the_middle(faults: Faults, kubectl: Kubectl, volume: str) -> None:
    faults.truncate(kubectl, volume, _committed(faults, kubectl, volume, 1), -1000)


def _remove_in_the_middle(faults: Faults, kubectl: Kubectl, volume: str) -> None:
    faults.remove(kubectl, volume, _committed(faults, kubectl, volume, 1))


def _put_foreign(faults: Faults, kubectl: Kubectl, volume: str) -> None:
    replace_files(faults.volume_path(kubectl, volume) / LEDGER, FOREIGN / "divergent" / "n0" / "ledger")


DAMAGES = [
    Damage("volume-wiped", frozenset({"Empty", "Damaged"}), _wipe),
    Damage("foreign-ledger", frozenset({"WrongService", "Damaged"}), _put_foreign),
]
MORE_DAMAGES = [
    Damage("tail-cut", frozenset({"Damaged", "Recovered"}), _cut_the_tail),
    Damage("committed-chunk-flipped", frozenset({"Damaged"}), _flip_in_the_middle),
    Damage("tail-emptied", frozenset({"Damaged", "Recovered"}), _empty_the_tail),
    Damage("tail-removed", frozenset({"Damaged", "Recovered"}), _remove_the_tail),
    Damage("committed-chunk-cut", frozenset({"Damaged"}), _cut_in_the_middle),
    Damage("committed-chunk-removed", frozenset({"Damaged"}), _remove_in_the_middle),
]
DAMAGED = [pytest.param(damage, id=damage.name) for damage in DAMAGES]
DAMAGED += [pytest.param(damage, id=damage.name, marks=pytest.mark.extended) for damage in MORE_DAMAGES]


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_ledger_is_never_chosen(network: NewNetwork, operator: Operator, damage: Damage) -> None:
    bank = network(spec=SMALL_CHUNKS).busy()
    bank.write(150)
    volume = bank.volume_of(bank.primary())
    attempt = _lose_all_and(bank, operator, lambda: damage.do(bank.setting.faults, bank.kubectl, volume))
    _was_not_chosen(attempt, volume, damage.results)
    bank.accept_recovery()
    status = bank.wait_for_recovered()
    told = status["history"][0]["candidates"][volume]
    assert any(told.startswith(result) for result in damage.results)
    bank.check_nothing_is_missing()


def test_a_volume_of_an_earlier_service_is_never_chosen(
    network: NewNetwork, operator: Operator, tmp_path: Path
) -> None:
    bank = network().busy()
    bank.write(20)
    first = bank.setting.faults.volume_path(bank.kubectl, bank.volume_of(bank.primary())) / LEDGER
    bank.kill(*bank.trusted())
    bank.wait_for_winner()
    shutil.copytree(first, tmp_path / "ledger")
    bank.accept_recovery()
    bank.wait_for_recovered()
    bank.writer.wait_for_more()
    joiner = next(r for r in bank.records() if r["command"] == "Join" and r.get("fit"))
    now = bank.setting.faults.volume_path(bank.kubectl, joiner["volume"]) / f"gen-{joiner['generation']}" / "ledger"
    attempt = _lose_all_and(bank, operator, lambda: replace_files(now, tmp_path / "ledger"))
    _was_not_chosen(attempt, joiner["volume"], frozenset({"WrongService", "Damaged"}))
    bank.accept_recovery()
    bank.wait_for_recovered(2)
    bank.check_nothing_is_missing()


def _lose_all_and(bank: Network, operator: Operator, damage: Callable[[], None]) -> dict[str, Any]:
    """Every process ends and damage is done while no operator looks; the attempt, once a winner is chosen."""
    with operator.away():
        bank.kill(*bank.trusted())
        damage()
    return bank.wait_for_winner()


def _was_not_chosen(attempt: dict[str, Any], volume: str, results: frozenset[str]) -> None:
    """The winner has all that the whole ledgers have; a damaged one may be it only if it lacks nothing of that."""
    candidate = next(c for c in attempt["candidates"] if c["volume"] == volume)
    others = [c for c in attempt["candidates"] if c["volume"] != volume]
    assert candidate["result"] in results, candidate
    assert [c["result"] for c in others] == ["Recovered", "Recovered"]
    assert tx_id(attempt["winner"]["txID"]) == max(tx_id(c["txID"]) for c in others)
    if candidate["result"] != "Recovered":
        assert attempt["winner"]["volume"] != volume
