"""The worst night: a majority is gone, and nothing that was committed may be missing afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.harness.kubectl import Object
from e2e.harness.network import Network
from e2e.harness.operator import Operator
from e2e.harness.tx_ids import tx_id
from e2e.harness.waiting import eventually, throughout

NewNetwork = Callable[..., Network]


def test_a_dead_minority_destroys_nothing(network: NewNetwork) -> None:
    bank = network().busy()
    before = {pod["metadata"]["uid"] for pod in bank.pods()}
    victim = next(name for name in bank.trusted() if name != bank.primary())
    bank.kill(victim)
    status = bank.wait_for("the end is noticed", lambda s: s["phase"] == "Degraded" and s["reason"] == "NodesEnded")
    assert victim in status["message"]
    throughout("nothing is destroyed", lambda: before <= _uids(bank) and _stays_degraded(bank), during=15)
    bank.write()
    assert bank.missing() == []
    asked = bank.wait_for("members are asked", lambda s: "remove_node" in s["nextStep"] and "trusted" in s["nextStep"])
    newcomer = next(r for r in asked["nodes"] if not r.get("ended") and not r.get("joinedAt"))
    gone = next(r for r in asked["nodes"] if r["name"] == victim)
    bank.consortium.trust(bank.door(), [newcomer["nodeId"]], remove=[gone["nodeId"]])
    bank.wait_for("whole again", lambda s: s["phase"] == "Running" and s["readyNodes"] == "3/3")
    bank.check_nothing_is_missing()


def test_a_majority_killed_in_its_containers_is_recovered(network: NewNetwork) -> None:
    bank = network().busy()
    lagging = next(name for name in bank.trusted() if name != bank.primary())
    bank.kill(lagging)
    bank.wait_for("the end is noticed", lambda s: s["phase"] == "Degraded")
    bank.write(5)
    behind = next(r["volume"] for r in bank.records() if r["name"] == lagging)
    survivors = [name for name in bank.trusted() if name != lagging]
    _lose_and_recover(bank, lambda: bank.kill(*survivors), behind)


@pytest.mark.extended
def test_a_majority_of_deleted_pods_is_recovered(network: NewNetwork) -> None:
    bank = network().busy()
    victims = bank.trusted()[:2]
    _lose_and_recover(bank, lambda: bank.kubectl.delete("pod", victims, "--wait=false"))


def test_the_ledgers_that_a_recovery_starts_from_are_not_touched(network: NewNetwork, operator: Operator) -> None:
    bank = network().busy()
    volumes = bank.volumes()
    with operator.away():
        bank.kill(*bank.trusted())
        before = {volume: _digest(bank, volume, 0) for volume in volumes}
    bank.wait_for_winner()
    bank.let_members_recover()
    assert {volume: _digest(bank, volume, 0) for volume in volumes} == before
    bank.check_nothing_is_missing()


def _lose_and_recover(bank: Network, lose: Callable[[], Any], behind: str | None = None) -> None:
    """Lose the majority, recover, and look at everything that must be true afterwards."""
    before, volumes = bank.identity(), bank.volumes()
    lose()
    chosen = bank.wait_for("a winner is chosen", lambda s: (s.get("attempt") or {}).get("winner"))["attempt"]
    candidates = {c["volume"]: c for c in chosen["candidates"]}
    recovered = {v: tx_id(c["txID"]) for v, c in candidates.items() if c.get("result") == "Recovered"}
    assert recovered[chosen["winner"]["volume"]] == max(recovered.values())
    if behind is not None:
        assert recovered[behind] < max(recovered.values())
    bank.accept_recovery()
    status = bank.wait_for_recovered()
    after = bank.identity()
    network = bank.door().ask(lambda c: c.get("/node/network"))
    assert network["recovery_count"] == status["service"]["recoveryCount"] == int(after["recovery_count"]) == 1
    assert network["service_certificate"] == after["service_cert.pem"]
    assert after["previous_service_cert.pem"] == before["service_cert.pem"]
    assert after["service_cert.pem"] != before["service_cert.pem"]
    assert bank.missing() == []
    losers = {c["node"] for c in chosen["candidates"] if c.get("node")} - {chosen["winner"]["node"]}
    eventually("the losers' pods are gone", lambda: not losers & _names(bank.pods()), within=30)
    assert volumes <= bank.volumes()
    bank.check_nothing_is_missing()


def test_the_greater_view_wins_though_its_seqno_is_smaller(network: NewNetwork) -> None:
    bank = network().busy()
    isolated = bank.primary()
    others = [name for name in bank.trusted() if name != isolated]
    old_door = bank.door(isolated)
    bank.setting.faults.partition(bank.kubectl, [isolated], others)
    _append_what_cannot_commit(bank, old_door)
    door = bank.door(others[0])
    eventually(
        "the others have a primary", lambda: _primary_id(door, bank) not in (None, _node_id(bank, isolated)), within=60
    )
    committed = bank.client.write(door, 3)
    bank.kill(*others, isolated)
    bank.setting.faults.heal()
    chosen = bank.wait_for("a winner is chosen", lambda s: (s.get("attempt") or {}).get("winner"))["attempt"]
    isolated_volume = next(r["volume"] for r in bank.records() if r["name"] == isolated)
    candidates = {c["volume"]: tx_id(c["txID"]) for c in chosen["candidates"]}
    winner = tx_id(chosen["winner"]["txID"])
    assert chosen["winner"]["volume"] != isolated_volume
    assert winner >= tx_id(committed[-1].tx_id)
    assert candidates[isolated_volume][0] < winner[0]
    assert candidates[isolated_volume][1] > winner[1], "the isolated primary's ledger is meant to be the longer one"
    bank.accept_recovery()
    bank.wait_for_recovered()
    bank.check_nothing_is_missing()


def _append_what_cannot_commit(bank: Network, door: Any) -> None:
    """The isolated primary takes writes until it steps down (CCF facts §9)."""
    for _ in range(60):
        try:
            bank.client.write_uncommitted(door)
        except Exception:
            return


def _stays_degraded(bank: Network) -> bool:
    status = bank.status()
    return status["phase"] == "Degraded" and not status.get("attempt")


def _uids(bank: Network) -> set[str]:
    return {pod["metadata"]["uid"] for pod in bank.pods()}


def _names(objects: list[Object]) -> set[str]:
    return {item["metadata"]["name"] for item in objects}


def _primary_id(door: Any, bank: Network) -> str | None:
    found: str | None = door.ask(lambda c: c.get("/node/network"))["primary_id"]
    return found


def _node_id(bank: Network, name: str) -> str:
    return next(str(r["nodeId"]) for r in bank.records() if r["name"] == name)


def _digest(bank: Network, volume: str, generation: int) -> str:
    """A digest over every byte and name of a generation, as it lies on the volume."""
    root: Path = bank.setting.faults.volume_path(bank.kubectl, volume) / f"gen-{generation}"
    found = hashlib.sha256()
    for file in sorted(root.rglob("*")):
        found.update(str(file.relative_to(root)).encode())
        if file.is_file():
            found.update(file.read_bytes())
    return found.hexdigest()
