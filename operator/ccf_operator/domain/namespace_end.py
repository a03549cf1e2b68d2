"""Whether a namespace may be going: what must have been seen before it is worth a request to ask.

Whoever deletes a namespace has all in it deleted, one kind after the other in no order: nodes may be gone before their
claims and their network bear any mark of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from ccf_operator.domain.observation import Observation, PodView

TERMINATING = "NamespaceTerminating"
"""What the API server and condition Recoverable call it."""


def may_be_going(seen: Observation, pods: Mapping[str, PodView]) -> bool:
    """Whether anything of a network is being deleted or is gone, or was refused for that; `pods` are the latest."""
    status = seen.status
    return (
        seen.deleting
        or any(claim.deleting for claim in seen.claims.values())
        or any(pod.deleting for pod in pods.values())
        or any(record.pod_uid is not None and record.name not in pods for record in status.nodes)
        or any(volume.uid is not None and volume.name not in seen.claims for volume in status.volumes)
        or any(obstacle.reason == TERMINATING for obstacle in status.obstacles)
        or any(condition.reason == TERMINATING for condition in status.conditions)
    )
