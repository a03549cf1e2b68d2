"""A network from its volumes alone: they outlive it, and nothing is started over them nor without a person's word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from e2e.harness.network import Network
from e2e.harness.waiting import eventually, throughout

NewNetwork = Callable[..., Network]


def test_a_network_deleted_and_applied_again_is_recovered_from_its_volumes(network: NewNetwork) -> None:
    bank = network().busy()
    certificate = bank.identity()["service_cert.pem"]
    volumes = bank.volumes()
    found = _delete_and_apply_again(bank)
    assert found["reason"] == "VolumesFound"
    eventually("the last pods are gone", lambda: not bank.pods(), within=60)
    throughout("no service is started over them", lambda: not bank.pods(), during=5)
    bank.adopt()
    bank.let_members_recover()
    assert bank.identity()["previous_service_cert.pem"] == certificate
    assert bank.volumes() >= volumes
    bank.check_nothing_is_missing()


def test_a_network_whose_status_was_lost_goes_on_and_is_recovered_like_any_other(network: NewNetwork) -> None:
    bank = network().busy()
    before, service = bank.uids(), bank.status()["service"]["publicKey"]
    bank.kubectl.run("patch", "ccfnetwork", bank.name, "--subresource=status", "--type=merge", "-p", '{"status":null}')
    status = bank.wait_for("it runs as before", lambda s: s.get("phase") == "Running" and s.get("readyNodes") == "3/3")
    assert status["service"]["publicKey"] == service
    assert bank.uids() == before
    bank.kill(*bank.trusted()[:2])
    bank.let_members_recover()
    bank.check_nothing_is_missing()


def test_volumes_declared_unrelated_are_left_alone(network: NewNetwork) -> None:
    bank = network(nodes=1).busy()
    bank.stop()
    volumes = bank.volumes()
    _delete_and_apply_again(bank)
    answer = bank.decide("Disown", _token(bank))
    assert answer["status"]["state"] == "Applied", answer["status"]["message"]
    bank.wait_for_phase("AwaitingOpen")
    claims = bank.kubectl.names("pvc")
    assert claims > volumes
    used = {v["name"] for v in bank.status()["volumes"]}
    assert not used & volumes


def _token(bank: Network) -> str:
    """What a decision about the volumes must name, once they are read."""
    found = bank.wait_for("a decision can be made", lambda s: (s.get("found") or {}).get("token"))["found"]
    return str(found["token"])


def _delete_and_apply_again(bank: Network) -> dict[str, Any]:
    bank.kubectl.delete("ccfnetwork", [bank.name], "--timeout=90s")
    bank.create()
    return bank.wait_for_phase("Blocked")
