"""Disks without a free byte: a node that cannot write ends (CCF facts §14.6), and a person reads which disk it is."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from e2e.harness.network import Network, Setting
from e2e.harness.waiting import eventually

NewNetwork = Callable[..., Network]


def _on_small_disks(network: NewNetwork, setting: Setting, size: str) -> Network:
    return network(spec={"storage": {"storageClassName": setting.faults.small_volumes(size)}})


def test_the_disk_of_one_node_is_full(network: NewNetwork, setting: Setting) -> None:
    bank = _on_small_disks(network, setting, "32m").busy()
    victim = bank.primary()
    volume, others = bank.volume_of(victim), [node for node in bank.trusted() if node != victim]
    setting.faults.fill(bank.kubectl, volume)
    status = bank.wait_for("its end is told", lambda s: s["phase"] == "Degraded" and victim in s["message"])
    bank.writer.wait_for_more()
    assert not status.get("attempt")
    bank.kill(others[0])
    attempt = bank.wait_for_winner()
    candidate = next(c for c in attempt["candidates"] if c["volume"] == volume)
    assert candidate["result"] != "Recovered", candidate
    assert "space" in str(candidate), candidate
    assert attempt["winner"]["volume"] != volume
    setting.faults.drain(bank.kubectl, volume)
    bank.let_members_recover()
    bank.check_nothing_is_missing()


@pytest.mark.extended
def test_all_disks_are_full(network: NewNetwork, setting: Setting) -> None:
    bank = _on_small_disks(network, setting, "32m").busy()
    volumes = [bank.volume_of(node) for node in bank.trusted()]
    for volume in volumes:
        setting.faults.fill(bank.kubectl, volume)
    bank.wait_for("the loss is proven", lambda s: s["quorum"]["verdict"] == "Lost")
    eventually("people read why it does not go on", lambda: "space" in bank.words(), within=90)
    assert not (bank.status().get("attempt") or {}).get("winner")
    for volume in volumes:
        setting.faults.resize(bank.kubectl, volume, "64m")
    bank.wait_for_winner(within=180)
    bank.let_members_recover()
    bank.check_nothing_is_missing()


@pytest.mark.extended
def test_disks_that_are_too_small_to_begin_with(network: NewNetwork, setting: Setting) -> None:
    """The first node ends before anybody has opened its service: the members begin anew, on disks that are greater."""
    bank = _on_small_disks(network, setting, "32k")
    bank.create()
    blocked = bank.wait_for_phase("Blocked")
    assert any(record.get("ended", {}).get("exitCode") for record in blocked["nodes"])
    begin = re.search(r"kubectl -n \S+ delete ccf bank", blocked["nextStep"])
    assert begin is not None, blocked["nextStep"]
    bank.kubectl.shell(begin.group())
    setting.faults.small_volumes("32m")
    bank.create()
    found = bank.wait_for("a decision can be made", lambda s: (s.get("found") or {}).get("token"))
    answer = bank.decide("Disown", found["found"]["token"])
    assert answer["status"]["state"] == "Applied", answer["status"]["message"]
    bank.wait_for_phase("AwaitingOpen")
    bank.consortium.open(bank.door())
    bank.wait_for("every node serves", lambda s: s["phase"] == "Running" and s["readyNodes"] == "3/3")
