"""What people are told, in every status there is."""

from __future__ import annotations

from ccf_operator.api.status import CandidateResult, NetworkStatus
from ccf_operator.domain.effects import CreateNode
from ccf_operator.domain.observation import Observation
from ccf_operator.domain.obstacles import KEPT
from ccf_operator.domain.reasons import MEANINGS, Reason
from unit.simulation.kubernetes_model import Violation

_ENDS = ("kubectl taint", "delete pod", "delete ccf", "Kubernetes Node", '"Start"')
"""What ends a node, or has one ended: not to be said by an operator that is cut off itself."""
_DOCUMENTED = {(phase, meaning.reason.value) for meaning in MEANINGS for phase in meaning.phases}


def assert_told(status: NetworkStatus) -> None:
    """What holds of every status: its reason is documented, and whoever must act is told what to do."""
    assert (status.phase, status.reason) in _DOCUMENTED
    said = {condition.type: condition.status for condition in status.conditions}
    assert not said["Reconciling"] == said["Stalled"] == "True"
    assert said["Stalled"] == "False" or status.next_step
    if status.reason == Reason.OPERATOR_ISOLATED:
        assert not any(words in status.next_step for words in _ENDS), status.next_step


def assert_refusals_are_told(seen: Observation, status: NetworkStatus) -> None:
    """What the API server refuses is said in its words, and nothing is called lost for it meanwhile."""
    told = {(one.object, one.reason) for one in status.obstacles}
    for one in seen.refusals:
        if len(status.obstacles) < KEPT and (one.about, one.reason) not in told:
            raise Violation(f"{one.about} is refused, and nobody is told")
    refused = {one.effect.node for one in seen.refusals if isinstance(one.effect, CreateNode)}
    before = seen.status.attempt
    waiting = {c.volume for c in (before.candidates if before else []) if c.result is None and c.node in refused}
    attempt = status.attempt
    if attempt is None or before is None or attempt.number != before.number:
        return
    for candidate in attempt.candidates:
        claim = seen.claims.get(candidate.volume)
        if candidate.volume not in waiting or claim is None or claim.deleting:
            continue  # no pod is ever placed on a claim that goes, refused or not
        given_up = (
            candidate.result is CandidateResult.UNREACHABLE and candidate.retry_at is None and attempt.possible_loss
        )
        if given_up or attempt.reason == Reason.NOTHING_RECOVERED:
            raise Violation(f"{candidate.volume} is given up while its pod is refused")
