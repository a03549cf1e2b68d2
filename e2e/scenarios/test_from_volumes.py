"""Recovered from ledgers alone: the claims say nothing of them, or another hand has made them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.harness.ledger_files import replace_files
from e2e.harness.network import Network
from e2e.harness.tx_ids import tx_id
from e2e.harness.waiting import eventually

NewNetwork = Callable[..., Network]

FOREIGN = Path(__file__).parents[2] / "tests" / "fixtures" / "ccf" / "ledgers"
"""Ledgers that real CCF nodes have written, with what each recovers to."""


@pytest.mark.extended
def test_volumes_whose_claims_say_nothing_are_read(network: NewNetwork) -> None:
    bank = network().busy()
    bank.writer.wait_for_more()
    certificate = bank.identity()["service_cert.pem"]
    _delete(bank)
    for volume in bank.volumes():
        bank.kubectl.run("annotate", "pvc", volume, "ccf.dev/recovery-")
    bank.create()
    found = _found(bank, "all volumes are read", lambda volumes: all(v.get("service") for v in volumes))
    _decide(bank, "Adopt", found)
    bank.wait_for("a person is asked: who the members were is not known", lambda s: s["reason"] == "ApprovalRequired")
    bank.approve_as_told()
    bank.let_members_recover()
    assert bank.identity()["previous_service_cert.pem"] == certificate
    bank.check_nothing_is_missing()


@pytest.mark.parametrize("which", [pytest.param("lagging", marks=pytest.mark.extended), "divergent"])
def test_ledgers_that_another_hand_made_are_recovered_as_real_ccf_does(network: NewNetwork, which: str) -> None:
    bank = network()
    told = json.loads((FOREIGN / which / "facts.json").read_text())["recovered"]
    blocked = _adopt_ledgers(bank, which, sorted(told))
    recovered = {ledger: candidate.get("txID") for ledger, candidate in blocked.items()}
    assert recovered == {node: facts["transaction_id"] for node, facts in told.items()}
    assert bool(bank.status()["attempt"]["forks"]) == (which == "divergent")
    bank.approve_as_told()
    winner = bank.wait_for_winner()["winner"]
    assert winner["txID"] == max(recovered.values(), key=tx_id)
    bank.wait_for_phase("AwaitingMembers")


@pytest.mark.parametrize(
    "damages",
    [
        pytest.param(("committed-chunk-bits-flipped", "tail-truncated"), id="flipped-and-truncated"),
        pytest.param(("committed-chunk-truncated", "no-tail"), id="cut-and-without-its-end"),
        pytest.param(("middle-chunk-missing", "tail-zero-length"), id="with-a-gap-and-emptied"),
    ],
)
def test_of_ledgers_that_real_ccf_wrote_the_undamaged_one_is_chosen(
    network: NewNetwork, damages: tuple[str, str]
) -> None:
    bank = network()
    broken, shorter = damages
    candidates = _adopt_ledgers(bank, "damaged", ["intact", *damages])
    assert (candidates["intact"]["result"], candidates["intact"]["txID"]) == ("Recovered", "2.183")
    assert candidates[broken]["result"] == "Damaged", candidates[broken]
    assert candidates[shorter]["result"] in ("Damaged", "Recovered")
    assert tx_id(candidates[shorter].get("txID") or "0.0") < (2, 183)
    bank.approve_as_told()
    assert bank.wait_for_winner()["winner"]["volume"] == candidates["intact"]["volume"]
    bank.wait_for_phase("AwaitingMembers")


def _adopt_ledgers(bank: Network, where: str, ledgers: list[str]) -> dict[str, dict[str, Any]]:
    """Put real CCF's ledgers on a network's volumes and adopt them; the candidates, once a person is asked."""
    bank.create()
    bank.wait_for_phase("AwaitingOpen")
    _delete(bank)
    source = dict(zip(sorted(bank.volumes()), ledgers, strict=True))
    for volume, ledger in source.items():
        _put(bank, volume, FOREIGN / where / ledger / "ledger")
        _annotate(bank, volume, {"serviceCertificate": (FOREIGN / where / "previous_service_cert.pem").read_text()})
    bank.create()
    _decide(bank, "Adopt", _found(bank, "all volumes are found", lambda volumes: len(volumes) == len(source)))
    blocked = bank.wait_for("a person is asked", lambda s: s["reason"] == "ApprovalRequired")
    return {source[c["volume"]]: c for c in blocked["attempt"]["candidates"]}


def _delete(bank: Network) -> None:
    bank.kubectl.delete("ccfnetwork", [bank.name])
    eventually("its pods are gone", lambda: not bank.pods(), within=60)


def _found(bank: Network, what: str, check: Callable[[list[dict[str, Any]]], bool]) -> dict[str, Any]:
    """What was found, once that is so and a decision can be made about it."""

    def checked(status: dict[str, Any]) -> bool:
        found = status.get("found") or {}
        return "token" in found and check(found["volumes"])

    found: dict[str, Any] = bank.wait_for(what, checked)["found"]
    return found


def _decide(bank: Network, action: str, found: dict[str, Any]) -> None:
    answer = bank.decide(action, found["token"])["status"]
    assert answer["state"] == "Applied", answer


def _put(bank: Network, volume: str, ledger: Path) -> None:
    """Replace the ledger on a volume, owned as the one before."""
    replace_files(bank.setting.faults.volume_path(bank.kubectl, volume) / "gen-0" / "ledger", ledger)


def _annotate(bank: Network, volume: str, facts: dict[str, Any]) -> None:
    bank.kubectl.run("annotate", "--overwrite", "pvc", volume, f"ccf.dev/recovery={json.dumps(facts)}")
