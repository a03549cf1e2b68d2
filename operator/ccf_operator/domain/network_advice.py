"""What people can look at where nodes run and do not answer, and what speaks against ending them.

Commands here change nothing. What would end a node is told elsewhere, and together with what speaks against it.
"""

from __future__ import annotations

from collections.abc import Collection

from ccf_operator.api.status import NodeRecord
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.isolation import reaches_nobody
from ccf_operator.domain.observation import OperatorView, PodView
from ccf_operator.render import labels, names
from ccf_operator.wording import counted


def lives(draft: Draft, record: NodeRecord) -> bool:
    """Whether a node runs by the word of its kubelet, and its machine is Ready; where machines cannot be read, the pod.

    Of a machine that is not heard of any more Kubernetes takes that word back within a minute.
    """
    pod = draft.pod(record)
    if record.ended is not None or pod is None or not pod.ccf.running:
        return False
    if draft.seen.machines is None:
        return pod.ready
    machine = draft.seen.machines.get(pod.machine or "")
    return machine is not None and machine.ready and not machine.out_of_service


def against_ending(draft: Draft, living: Collection[NodeRecord]) -> str:
    """What speaks against ending nodes: `2 of 3 containers are reported running on Ready machines (…), …`."""
    own = [record for record in draft.own_nodes() if record.stop is None or record.ended is None]
    machines = sorted({pod.machine for r in living if (pod := draft.pod(r)) is not None and pod.machine is not None})
    where = f" ({', '.join(machines)})" if machines else ""
    said = f"{len(living)} of {counted(len(own), 'container')} are reported running on Ready machines{where}"
    ready, behind = _endpoints(draft)
    if not behind:
        return said
    service = names.client_service(draft.seen.name)
    return f"{said}, and {ready} of {counted(behind, 'endpoint')} of Service {service} are ready: clients may be served"


def _endpoints(draft: Draft) -> tuple[int, int]:
    """Ready ones, and all, of the Service that clients use."""
    behind = [pod for pod in map(draft.pod, draft.alive()) if pod is not None and is_behind_service(pod)]
    return sum(pod.ready for pod in behind), len(behind)


def is_behind_service(pod: PodView) -> bool:
    """Whether the Service that clients use selects a pod, and leads new clients to it once it is Ready."""
    return pod.labels.get(labels.TRAFFIC) == "true" and not pod.deleting


def network_first(draft: Draft, silent: Collection[NodeRecord]) -> str:
    """Where to look for what keeps the operator from nodes that run, in the order in which it is likely."""
    operator, namespace = draft.seen.operator, draft.seen.namespace
    look = [f"network policies that apply to the nodes (kubectl get networkpolicy -n {namespace})"]
    if reaches_nobody(operator, draft.now):
        look.insert(0, _about_operator(operator))
    service = names.nodes_service(draft.seen.name)
    look.append(
        f"their addresses (kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={service} -o wide)"
    )
    addresses = sorted({pod.ip for r in silent if (pod := draft.pod(r)) is not None and pod.ip is not None})
    if addresses:
        look.append(f"whether the operator reaches one ({_try(operator, addresses[0])})")
    if any(":" in address for address in addresses):
        look.append("whether pods have IPv4 addresses: CCF listens and connects over IPv4 only")
    return f"look at the network between the operator and the nodes first: {'; '.join(look)}"


def between_nodes(draft: Draft) -> str:
    """Where to look for what keeps nodes from one another that all answer the operator."""
    namespace, service = draft.seen.namespace, names.nodes_service(draft.seen.name)
    return (
        f"look at the network between the nodes first, port {names.NODE_PORT}: network policies that apply to them "
        f"(kubectl get networkpolicy -n {namespace}); their addresses and names (kubectl -n {namespace} get "
        f"endpointslices -l kubernetes.io/service-name={service} -o wide)"
    )


def about_isolation(operator: OperatorView) -> str:
    """What to look at where the operator is cut off: nothing is to be done about the nodes."""
    return (
        f"look at what keeps the operator from all nodes: {_about_operator(operator)}; the pod network of its machine "
        f"({_pods_on(operator)}). Nothing is to be done about the nodes: by all that is known they run, and clients "
        "may use them"
    )


def _about_operator(operator: OperatorView) -> str:
    namespace = operator.namespace or "NAMESPACE-OF-THE-OPERATOR"
    return (
        f"what the operator's own pod may connect to, port 8443 of the nodes (kubectl get networkpolicy -n {namespace})"
    )


def _pods_on(operator: OperatorView) -> str:
    machine = operator.machine or "MACHINE-OF-THE-OPERATOR"
    return f"kubectl get pods -A -o wide --field-selector spec.nodeName={machine}"


def _try(operator: OperatorView, address: str) -> str:
    pod = operator.pod or "POD-OF-THE-OPERATOR"
    where = f"-n {operator.namespace} " if operator.namespace else ""
    connect = f"import socket; socket.create_connection(('{address}', {names.OPERATOR_PORT}), 3)"
    return f'kubectl {where}exec {pod} -- python3 -c "{connect}"'
