"""The operator as a member of the consortium: what nodes need is decided without a person; members vote on the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.harness.consortium import Consortium, patiently
from e2e.harness.environment import Environment, install
from e2e.harness.network import Network
from e2e.harness.waiting import eventually
from members import generate_operator_member

NewNetwork = Callable[..., Network]
SECRET = "bank-operator"


@pytest.fixture
def bank(network: NewNetwork, environment: Environment, tmp_path: Path) -> Iterator[Network]:
    """An open network whose operator has a member of its own, and a client that writes."""
    member = generate_operator_member("operator")
    spec = {"governance": {"operatorMember": {"secretRef": {"name": SECRET}}}}
    bank = network(consortium=Consortium(operator=member), spec=spec)
    certificate, key = tmp_path / "operator.pem", tmp_path / "operator.key"
    certificate.write_text(member.certificate_pem)
    key.write_text(member.key_pem)
    bank.kubectl.run("create", "secret", "tls", SECRET, f"--cert={certificate}", f"--key={key}")
    environment.let_operator_read(bank.kubectl.namespace, SECRET)
    bank.busy()
    bank.kubectl.run("wait", f"ccf/{bank.name}", "--for=condition=OperatorMemberUsable", "--timeout=60s", timeout=90)
    yield bank
    install(environment)


def test_a_dead_node_is_replaced_and_nobody_touches_anything(bank: Network) -> None:
    victim = next(name for name in bank.trusted() if name != bank.primary())
    asked: list[str] = []

    bank.kill(victim)

    def whole() -> dict[str, Any] | None:
        status = bank.status()
        asked.extend(filter(None, [status.get("nextStep")]))
        gone = victim not in [record["name"] for record in status["nodes"] if not record.get("ended")]
        ready = status["phase"] == "Running" and status["readyNodes"] == "3/3"
        return status if gone and ready else None

    eventually("three nodes serve again", whole, within=90)
    assert victim not in bank.serving()
    bank.wait_for("the newcomer has caught up", lambda s: sum("joinedAt" in one for one in s["nodes"]) == 3)
    assert asked == []
    bank.write()
    bank.check_nothing_is_missing()


def test_the_operator_proposes_the_opening_of_what_it_recovered_and_members_vote(bank: Network) -> None:
    bank.kill(*bank.trusted()[:2])

    def proposed(status: dict[str, Any]) -> bool:
        open_ones = (status.get("governance") or {}).get("proposals") or []
        return any(one["opens"] and one["proposer"] == "the operator" for one in open_ones)

    status = bank.wait_for("the opening is proposed", proposed)
    [proposal] = status["governance"]["proposals"]
    assert proposal["missing"] == [member.name for member in bank.consortium.members]
    assert proposal["id"][:8] in status["nextStep"]
    winner = status["attempt"]["winner"]
    door = bank.door(winner["node"], winner["serviceCertificate"])
    patiently("the members vote", lambda: bank.consortium.vote(door, proposal["id"]))
    patiently("the members submit shares", lambda: bank.consortium.submit_shares(door))
    bank.wait_for_recovered()
    bank.check_nothing_is_missing()
