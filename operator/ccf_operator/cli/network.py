"""One network as Kubernetes knows it: the CCFNetwork object and its pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from ccf_operator.api.status import NetworkStatus
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.kubectl import Kubectl, KubectlFailed, Object, cluster_failure
from ccf_operator.render import labels


@dataclass(frozen=True)
class Pod:
    """A pod of the network's namespace that bears its label."""

    name: str
    uid: str
    ip: str | None
    machine: str | None
    running: bool


@dataclass(frozen=True)
class Network:
    """The object, its status, and the pods that bear the network's label, whoever made them."""

    name: str
    namespace: str
    uid: str
    spec: Mapping[str, Any]
    status: NetworkStatus
    pods: Mapping[str, Pod] = field(default_factory=dict)

    @property
    def strangers(self) -> list[Pod]:
        """Pods that bear the network's label but are none of its nodes: not the operator's."""
        ours = {record.name: record.pod_uid for record in self.status.nodes}
        return [p for p in self.pods.values() if p.name not in ours or ours[p.name] not in (None, p.uid)]


async def load(kubectl: Kubectl, name: str) -> Network:
    """The network of this name. Raises Failure."""
    try:
        raw = await kubectl.get(f"{labels.PLURAL}.{labels.GROUP}", name)
        if raw is None:
            raise Failure(
                Exit.NOT_FOUND,
                f"there is no CCFNetwork {name!r} in {_where(kubectl)}",
                "kubectl get ccf --all-namespaces lists the networks there are; choose one with --namespace",
            )
        pods = await kubectl.within(raw["metadata"]["namespace"]).list("pods", f"{labels.NETWORK}={name}")
    except KubectlFailed as error:
        raise cluster_failure(error) from error
    return from_objects(raw, pods)


async def with_pod(kubectl: Kubectl, network: Network, name: str) -> Network:
    """The network with a pod that somebody says is part of it, whatever label that bears. Raises Failure."""
    if name in network.pods:
        return network
    try:
        raw = await kubectl.within(network.namespace).get("pod", name)
    except KubectlFailed as error:
        raise cluster_failure(error) from error
    if raw is None:
        raise Failure(
            Exit.NOT_FOUND,
            f"there is no pod {name!r} in namespace {network.namespace}",
            f"kubectl ccf status {network.name} lists the nodes there are",
        )
    return replace(network, pods={**network.pods, name: _pod(raw)})


def from_objects(raw: Object, pods: list[Object]) -> Network:
    """The network of a CCFNetwork object and a list of pods. Raises Failure if its status is not to be understood."""
    metadata = raw["metadata"]
    try:
        status = NetworkStatus.model_validate(raw.get("status") or {})
    except ValidationError as error:
        raise Failure(
            Exit.CLUSTER,
            f"the status of {metadata['name']} is not one this version understands: {error.errors()[0]['msg']}",
            "install the version of kubectl-ccf that belongs to the operator on this cluster",
        ) from error
    return Network(
        metadata["name"],
        metadata["namespace"],
        metadata["uid"],
        raw.get("spec") or {},
        status,
        {pod["metadata"]["name"]: _pod(pod) for pod in pods},
    )


def _pod(raw: Object) -> Pod:
    status = raw.get("status") or {}
    return Pod(
        raw["metadata"]["name"],
        raw["metadata"]["uid"],
        status.get("podIP"),
        (raw.get("spec") or {}).get("nodeName"),
        status.get("phase") == "Running",
    )


def _where(kubectl: Kubectl) -> str:
    return f"namespace {kubectl.namespace}" if kubectl.namespace else "the current namespace"
