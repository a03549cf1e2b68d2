"""Labels, annotations and finalizers: the only ones the operator sets."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from ccf_operator.render.names import NetworkRef

GROUP = "ccf.dev"
API_VERSION = f"{GROUP}/v1alpha1"
KIND = "CCFNetwork"
PLURAL = "ccfnetworks"
DECISION_KIND = "CCFRecoveryDecision"
DECISION_PLURAL = "ccfrecoverydecisions"
FIELD_MANAGER = "ccf-operator"

NAME = "app.kubernetes.io/name"
MANAGED_BY = "app.kubernetes.io/managed-by"
NETWORK = f"{GROUP}/network"
NETWORK_UID = f"{GROUP}/network-uid"
NODE = f"{GROUP}/node"
VOLUME = f"{GROUP}/volume"
TRAFFIC = f"{GROUP}/traffic"
TRUSTED = f"{GROUP}/trusted"
ROLE = f"{GROUP}/role"
GENERATION = f"{GROUP}/generation"
COMMAND = f"{GROUP}/command"

JOIN_TARGET = f"{GROUP}/join-target"
"""Annotation of a joiner's pod: the node it joins through, which it asks for as long as it runs."""

MADE_OF = f"{GROUP}/made-of"
"""Annotation of a pod: digest of all of the spec that it is made of (`domain.made_of`)."""

CREATED_FOR = f"{GROUP}/created-for"
"""Annotation of a claim: the node it was made for."""

RECOVERY_FACTS = f"{GROUP}/recovery"
"""Annotation of a claim: what is needed to recover the network from its volumes alone (`api.volume_facts`)."""

POD_FINALIZER = f"{GROUP}/evidence"
NETWORK_FINALIZER = f"{GROUP}/network"
RIGHTS_FINALIZER = f"{GROUP}/rights"


class Role(StrEnum):
    """What a pod is to its network."""

    NODE = "node"
    CANDIDATE = "candidate"
    WINNER = "winner"
    EXPLORER = "explorer"


def network_labels(network: NetworkRef) -> dict[str, str]:
    """Labels of every object of a network."""
    return {NAME: "ccf", MANAGED_BY: "ccf-operator", NETWORK: network.name}


def network_annotations(network: NetworkRef) -> dict[str, str]:
    """Annotations of every object of a network: whose it is, should its owner reference be lost. Never selected by."""
    return {NETWORK_UID: network.uid}


def claim_labels(network: NetworkRef, volume: str) -> dict[str, str]:
    """Labels of a volume's claim; the UID tells it from claims of an earlier network of that name."""
    return {**network_labels(network), NETWORK_UID: network.uid, VOLUME: volume}


def node_labels(network: NetworkRef, node: str, volume: str, role: Role) -> dict[str, str]:
    """Labels of a node's pod and ConfigMap, as created; traffic and trust are set later."""
    return {**network_labels(network), NODE: node, VOLUME: volume, ROLE: role.value}


def selector_of(network: str) -> str:
    """Label selector, as text, of a network's objects."""
    return to_selector({MANAGED_BY: "ccf-operator", NETWORK: network})


def to_selector(labels: Mapping[str, str]) -> str:
    """Equality-based label selector as text."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def owner_reference(network: NetworkRef) -> dict[str, object]:
    """The owner reference of everything but volumes."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": network.name,
        "uid": network.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
