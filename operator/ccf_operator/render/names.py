"""Names and addresses of everything that belongs to one network.

Every name is a DNS label of at most 63 characters, given a network name of at most 40. Node and volume names hold five
characters of the network object's UID and a number that only grows: a network that is deleted and made anew under the
same name never meets a name of its predecessor, and CCF never sees an address twice (CCF facts §0.8).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

CLIENT_PORT = 8080
"""RPC interface `client`, endorsed by the service."""
OPERATOR_PORT = 8443
"""RPC interface `operator`, endorsed by the node."""
NODE_PORT = 8081
"""Node-to-node traffic."""
STAGE_PORT = 8082
"""Where `stage` tells how far it has come, while it reads."""

UID_CHARACTERS = 5


@dataclass(frozen=True)
class NetworkRef:
    """The network object that everything rendered belongs to."""

    name: str
    namespace: str
    uid: str


def node_name(network: str, uid: str, counter: int) -> str:
    """Name of a node, its pod and its ConfigMap: `<net>-<five of the UID>-<n>`."""
    return f"{network}-{uid[:UID_CHARACTERS]}-{counter}"


def volume_name(network: str, uid: str, counter: int) -> str:
    """Name of a volume's claim: `<net>-ledger-<five of the UID>-<n>`."""
    return f"{network}-ledger-{uid[:UID_CHARACTERS]}-{counter}"


def node_counter(name: str, network: str, uid: str) -> int | None:
    """The number in a node's name; None if the name is not one of this network's node names."""
    return _counter(name, f"{network}-{uid[:UID_CHARACTERS]}-")


def volume_counter(name: str, network: str, uid: str) -> int | None:
    """The number in a volume's name; None if the name is not one of this network's volume names."""
    return _counter(name, f"{network}-ledger-{uid[:UID_CHARACTERS]}-")


def _counter(name: str, prefix: str) -> int | None:
    digits = name.removeprefix(prefix)
    if not name.startswith(prefix) or not digits.isascii() or not digits.isdigit():
        return None
    return int(digits)


def explorer(network: str, claim_uid: str) -> str:
    """The pod that reads what a claim's volume shows by itself."""
    return f"{network}-explore-{hashlib.sha256(claim_uid.encode()).hexdigest()[:8]}"


def client_service(network: str) -> str:
    """The Service that clients use."""
    return network


def nodes_service(network: str) -> str:
    """The headless Service under which the nodes find each other."""
    return f"{network}-nodes"


def identity_config_map(network: str) -> str:
    """The ConfigMap with the service's certificates, for clients to mount."""
    return f"{network}-service-identity"


def trusted_budget(network: str) -> str:
    """The PodDisruptionBudget of the trusted nodes."""
    return f"{network}-trusted"


def recovery_budget(network: str) -> str:
    """The PodDisruptionBudget of candidates and winner."""
    return f"{network}-recovery"


def host(node: str, network: str, namespace: str, cluster_domain: str) -> str:
    """The DNS name under which a node is published."""
    return f"{node}.{nodes_service(network)}.{namespace}.svc.{cluster_domain}"


def address(node: str, network: str, namespace: str, cluster_domain: str, port: int) -> str:
    """`host:port` under which a port of a node is published."""
    return f"{host(node, network, namespace, cluster_domain)}:{port}"


def authority(host: str, port: int) -> str:
    """`host:port` of an address or a name, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
