from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.status import Condition, NetworkStatus, Phase, QuorumStatus, ServiceStatus, Verdict
from ccf_operator.domain.conditions import keep_conditions
from unit.domain.given import (
    at,
    attempt,
    claim,
    configuration,
    draft,
    record,
    service,
    status,
)


def conditions(of: NetworkStatus, *, after: float = 0, **seen: Any) -> dict[str, Condition]:
    work = draft(of, after=after, **seen)
    keep_conditions(work)
    return {c.type: c for c in work.status.conditions}


def running(*, fit: int = 3, **fields: Any) -> NetworkStatus:
    nodes = [record(name, fit=n < fit) for n, name in enumerate("abc")]
    known: dict[str, Any] = {
        "phase": Phase.RUNNING,
        "reason": "Running",
        "message": "the service is open",
        "configuration": configuration("a", "b", "c"),
        "quorum": QuorumStatus(verdict=Verdict.HEALTHY),
    }
    return status(*nodes, **{**known, **fields})


def state(of: NetworkStatus, kind: str, **seen: Any) -> str:
    return conditions(of, **seen)[kind].status


def test_all_are_there_with_the_generation_they_are_about() -> None:
    found = conditions(running())
    assert set(found) == {
        "Ready",
        "Reconciling",
        "Stalled",
        "Progressing",
        "QuorumHealthy",
        "Recoverable",
        "RecoveryInProgress",
        "GovernanceRequired",
        "ServiceIdentityChanged",
        "CertificatesExpiring",
    }
    assert {c.observed_generation for c in found.values()} == {1}
    assert all(c.reason for c in found.values())


def test_ready_is_when_all_nodes_serve() -> None:
    assert state(running(), "Ready") == "True"
    assert state(running(fit=2), "Ready") == "False"
    assert conditions(running(fit=2))["Ready"].reason == "NodesMissing"
    assert state(running(phase=Phase.DEGRADED, reason="NodesEnded"), "Ready") == "False"


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict.HEALTHY, "True"),
        (Verdict.DEGRADED, "True"),
        (Verdict.SUSPECTED, "Unknown"),
        (Verdict.LOST, "False"),
        (Verdict.UNKNOWN, "Unknown"),
    ],
)
def test_quorum(verdict: Verdict, expected: str) -> None:
    assert state(running(quorum=QuorumStatus(verdict=verdict)), "QuorumHealthy") == expected


def test_members_are_asked_only_for_what_is_theirs() -> None:
    asked = running(next_step="members: propose and vote: remove_node x")
    assert state(asked, "GovernanceRequired") == "True"
    shares = running(phase=Phase.AWAITING_MEMBERS, reason="RecoveryShares", next_step="recovery members: submit")
    assert state(shares, "GovernanceRequired") == "True"
    machines = running(phase=Phase.DEGRADED, reason="QuorumSuspected", next_step="find out whether machines run")
    assert state(machines, "GovernanceRequired") == "False"
    decrypting = running(phase=Phase.AWAITING_MEMBERS, reason="Decrypting", next_step="")
    assert state(decrypting, "GovernanceRequired") == "False"


def test_recoverable_takes_the_claim_of_every_member() -> None:
    assert state(running(), "Recoverable") == "True"
    claims = {f"v-{n}": claim(f"v-{n}") for n in "abc"}
    assert state(running(), "Recoverable", claims={**claims, "v-c": claim("v-c", uid="another")}) == "False"
    del claims["v-c"]
    assert state(running(), "Recoverable", claims=claims) == "False"
    assert state(running(service=ServiceStatus()), "Recoverable") == "False"


def test_volumes_that_die_with_their_claims_are_a_warning() -> None:
    claims = {f"v-{n}": claim(f"v-{n}", reclaim_policy="Delete") for n in "abc"}
    found = conditions(running(), claims=claims)["Recoverable"]
    assert (found.status, found.reason) == ("True", "VolumesDieWithClaims")


def test_a_changed_identity_and_a_recovery_under_way_show() -> None:
    assert state(running(), "ServiceIdentityChanged") == "False"
    assert state(running(service=service(previous_certificate="PEM")), "ServiceIdentityChanged") == "True"
    assert state(running(attempt=attempt()), "RecoveryInProgress") == "True"


def test_a_condition_moves_only_when_its_status_does() -> None:
    first = running()
    work = draft(first)
    keep_conditions(work)
    later = draft(work.status.model_copy(update={"message": "another word"}), after=60)
    keep_conditions(later)
    assert {c.last_transition_time for c in later.status.conditions} == {at(0)}
    changed = draft(work.status.model_copy(update={"phase": Phase.DEGRADED}), after=60)
    keep_conditions(changed)
    assert {c.type for c in changed.status.conditions if c.last_transition_time == at(60)} == {
        "Ready",
        "Reconciling",
        "Progressing",
    }
