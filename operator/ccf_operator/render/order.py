"""What is to be known of one node before its objects can be rendered."""

from __future__ import annotations

from dataclasses import dataclass

from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.api.status import Command, EndEvidence, NetworkStatus, NodeRecord
from ccf_operator.domain.observation import Inputs
from ccf_operator.render import names
from ccf_operator.render.names import NetworkRef


@dataclass(frozen=True)
class Platform:
    """What the operator knows about where it runs."""

    stage_image: str
    """Image of the operator, which also holds `stage`."""
    cluster_domain: str = "cluster.local"
    """The cluster's DNS domain."""


@dataclass(frozen=True)
class NodeOrder:
    """One node, as decided: all that its objects are rendered from."""

    platform: Platform
    network: NetworkRef
    spec: CCFNetworkSpec
    record: NodeRecord
    lineage: tuple[int, ...]
    """The generations a `Recover` node reads; empty for others."""
    recovery_count: int
    """CCF's count of recoveries of the service it starts from."""
    configuration: tuple[str, ...]
    """The consensus configuration known when it was decided: CCF node ids."""
    inputs: Inputs
    doubtful: tuple[int, ...] = ()
    """Generations of failed attempts on the volume of a `Recover` node, to be looked at too."""
    former: tuple[NodeRecord, ...] = ()
    """Nodes whose ends no kubelet has reported: a `Recover` node starts only if none of them writes or answers."""

    @property
    def host(self) -> str:
        """The DNS name it is published under."""
        return names.host(self.record.name, self.network.name, self.network.namespace, self.platform.cluster_domain)


class NotRenderable(ValueError):
    """The record lacks what its command needs."""


def order(
    platform: Platform,
    network: NetworkRef,
    spec: CCFNetworkSpec,
    status: NetworkStatus,
    inputs: Inputs,
    node: str,
) -> NodeOrder:
    """The order for the node of this name, from the status that licenses it. Raises NotRenderable."""
    record = status.node(node)
    if record is None:
        raise NotRenderable(f"{node} is not on record")
    lineage: tuple[int, ...] = ()
    doubtful: tuple[int, ...] = ()
    former: tuple[NodeRecord, ...] = ()
    configuration = tuple(status.configuration.nodes) if status.configuration else ()
    if record.command is Command.RECOVER:
        attempt = status.attempt
        candidate = next((c for c in attempt.candidates if c.node == node), None) if attempt else None
        if attempt is None or candidate is None or not candidate.lineage:
            raise NotRenderable(f"{node} is no candidate of the attempt in progress, or has no lineage to recover")
        lineage, doubtful = tuple(candidate.lineage), tuple(candidate.doubtful)
        former = tuple(one for one in status.nodes if one.attempt != record.attempt and _may_write_still(one))
        configuration = tuple(attempt.configuration)
        recovery_count = attempt.base_recovery_count
    else:
        recovery_count = status.service.recovery_count
    if record.command is not Command.START and not record.service_certificate:
        raise NotRenderable(f"{node} has no service certificate to {record.command.value.lower()} with")
    if record.command is Command.JOIN and not record.join_address:
        raise NotRenderable(f"{node} has no address to join through")
    if record.command is Command.START and (inputs.problems or not inputs.members or not inputs.constitution):
        raise NotRenderable(f"{node} cannot start a service: {'; '.join(inputs.problems) or 'nothing to start from'}")
    return NodeOrder(platform, network, spec, record, lineage, recovery_count, configuration, inputs, doubtful, former)


def _may_write_still(record: NodeRecord) -> bool:
    """Whether a node is gone by somebody's word and no report, and it is known whom to call and where."""
    ended = record.ended
    by_word = ended is not None and ended.evidence is not EndEvidence.CONTAINER_TERMINATED
    return by_word and record.node_id is not None and record.pod_ip is not None
