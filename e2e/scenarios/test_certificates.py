"""Certificates that run out while members are awaited: said, no hindrance to consensus, and renewed as is told."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

from ccf_operator.ccf import governance
from e2e.harness.consortium import patiently
from e2e.harness.network import Network

NewNetwork = Callable[..., Network]
DAY = 86400


def test_certificates_that_ran_out_while_members_were_awaited(network: NewNetwork) -> None:
    """Nobody can turn the clock: the members themselves give certificates that ended two days ago."""
    bank = network().busy()
    bank.kill(*bank.trusted()[:2])
    awaiting = bank.wait_for_phase("AwaitingMembers")
    winner = awaiting["attempt"]["winner"]
    door = bank.door(winner["node"], winner["serviceCertificate"]).at_any_time()
    since = governance.certificate_time(time.time() - 3 * DAY)
    ended = [
        governance.set_service_certificate_validity(since, 1),
        governance.set_all_nodes_certificate_validity(since, 1),
    ]
    patiently("the certificates end", lambda: bank.consortium.pass_actions(door, ended))
    told = bank.wait_for("it is told", lambda s: _expiry(s)["status"] == "True" and _expiry(s)["reason"] == "Expired")
    joiner = next(r["name"] for r in told["nodes"] if r["command"] == "Join" and r.get("attempt") == 1)
    bank.kill(joiner)
    bank.wait_for("nobody can join any more", lambda s: s.get("joinFailures"), within=60)
    proposal = re.search(r'\{"actions".*\}', _expiry(bank.status())["message"])
    assert proposal is not None
    actions = json.loads(proposal.group())["actions"]
    patiently("the members renew them as told", lambda: bank.consortium.pass_actions(door, actions))
    bank.wait_for("all is well with the certificates", lambda s: _expiry(s)["status"] == "False")
    bank.let_members_recover()
    assert [past["number"] for past in bank.status()["history"]] == [1]
    bank.check_nothing_is_missing()


def _expiry(status: dict[str, Any]) -> dict[str, Any]:
    return next((c for c in status["conditions"] if c["type"] == "CertificatesExpiring"), {"status": "Unknown"})
