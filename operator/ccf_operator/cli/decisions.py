"""Decisions about a recovery: which are open now, for what token, and the object that makes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ccf_operator.api.decision import Action
from ccf_operator.api.status import Attempt, AttemptPhase, NetworkStatus
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.network import Network
from ccf_operator.cli.words import sentence
from ccf_operator.domain.reasons import Reason
from ccf_operator.render import labels


@dataclass(frozen=True)
class Decision:
    """What a person decides."""

    action: Action
    token: str
    volume: str | None = None
    reason: str | None = None


def manifest(network: Network, decision: Decision) -> dict[str, Any]:
    """The CCFRecoveryDecision, as anyone would write it."""
    spec = {"network": network.name, "token": decision.token, "action": decision.action.value}
    if decision.volume is not None:
        spec["volume"] = decision.volume
    if decision.reason is not None:
        spec["reason"] = decision.reason
    return {
        "apiVersion": labels.API_VERSION,
        "kind": labels.DECISION_KIND,
        "metadata": {
            "generateName": f"{network.name}-{decision.action.value.lower()}-",
            "namespace": network.namespace,
        },
        "spec": spec,
    }


def approval(network: Network, reason: str | None) -> Decision:
    """Recover what is best in spite of what may be missing. Raises Failure (NOT_NOW)."""
    attempt = network.status.attempt
    if attempt is None or not _waits_for_approval(attempt):
        raise Failure(
            Exit.NOT_NOW,
            f"nothing waits for approval: the network is {network.status.phase.value}",
            f"kubectl ccf recovery plan {network.name} says what the operator does now",
        )
    return Decision(Action.APPROVE, attempt.token, reason=reason)


def _waits_for_approval(attempt: Attempt) -> bool:
    return attempt.phase is AttemptPhase.AWAITING_APPROVAL or attempt.reason == Reason.TWO_SERVICES


def about_volume(network: Network, action: Action, volume: str, reason: str | None) -> Decision:
    """Pin or exclude a candidate's volume. Raises Failure."""
    attempt = network.status.attempt
    token = _attempt_token(network.status, network.name)
    assert attempt is not None
    candidates = [candidate.volume for candidate in attempt.candidates]
    if volume not in candidates:
        raise Failure(
            Exit.NOT_FOUND,
            f"{volume} is not a volume of recovery attempt {attempt.number}",
            f"name one of {', '.join(candidates)}",
        )
    return Decision(action, token, volume, reason)


def abortion(network: Network, reason: str | None) -> Decision:
    """End the attempt, or call off one that has not begun. Raises Failure (NOT_NOW)."""
    if (start := network.status.start) is not None:
        if start.ending_since is not None:
            raise Failure(
                Exit.NOT_NOW,
                f"the nodes are being ended, as {start.decision} says, which Kubernetes cannot take back",
                f"abort attempt {start.attempt} when it has begun: kubectl ccf status {network.name} --watch shows it",
            )
        return Decision(Action.ABORT, start.token, reason=reason)
    return Decision(Action.ABORT, _attempt_token(network.status, network.name), reason=reason)


def resumption(network: Network, reason: str | None) -> Decision:
    """Let recovery go on after an attempt was ended. Raises Failure (NOT_NOW)."""
    if network.status.paused is None:
        raise Failure(
            Exit.NOT_NOW,
            "recovery is not paused",
            f"kubectl ccf recovery plan {network.name} says what the operator does now",
        )
    return Decision(Action.RESUME, network.status.paused.token, reason=reason)


def starting(network: Network, reason: str | None) -> Decision:
    """Recover the service now, whatever becomes of its nodes. Raises Failure (NOT_NOW)."""
    status = network.status
    if status.recovery_token is not None:
        return Decision(Action.START, status.recovery_token, reason=reason)
    if status.attempt is not None:
        why = f"recovery attempt {status.attempt.number} is in progress"
    elif status.start is not None:
        why = f"{status.start.decision} has started recovery attempt {status.start.attempt} already"
    else:
        why = "the service has never been open: there is nothing to recover"
    raise Failure(Exit.NOT_NOW, why, f"kubectl ccf recovery plan {network.name} says what the operator does now")


def adoption(network: Network, volume: str | None, reason: str | None) -> Decision:
    """Recover the network whose volumes were found. Raises Failure (NOT_NOW)."""
    return Decision(Action.ADOPT, _found_token(network), volume, reason)


def disowning(network: Network, reason: str | None) -> Decision:
    """Leave the volumes that were found alone, and start a new service. Raises Failure (NOT_NOW)."""
    return Decision(Action.DISOWN, _found_token(network), reason=reason)


def _found_token(network: Network) -> str:
    found = network.status.found
    if found is None:
        raise Failure(
            Exit.NOT_NOW,
            "no volumes of an earlier network of this name wait for a decision",
            f"kubectl ccf status {network.name} says where the network is",
        )
    if found.token is None:
        raise Failure(Exit.NOT_NOW, "nothing can be decided about the volumes yet", sentence(network.status.next_step))
    return found.token


def _attempt_token(status: NetworkStatus, name: str) -> str:
    if status.attempt is None:
        raise Failure(
            Exit.NOT_NOW,
            f"no recovery is in progress: the network is {status.phase.value}",
            f"kubectl ccf recovery plan {name} says what the operator does now",
        )
    return status.attempt.token
