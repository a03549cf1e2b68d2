"""What people are told, in every status there is."""

from __future__ import annotations

from ccf_operator.api.status import NetworkStatus
from ccf_operator.domain.reasons import MEANINGS, Reason

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
