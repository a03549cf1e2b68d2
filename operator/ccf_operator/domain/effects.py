"""What the operator may do to the world: each effect is plain data and can be done twice with the same outcome."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ccf_operator.api.decision import DecisionState
from ccf_operator.ccf.messages import Action
from ccf_operator.domain.identity import IdentityView


@dataclass(frozen=True)
class CreateVolume:
    """Create the claim of a volume, unless it exists."""

    volume: str


@dataclass(frozen=True)
class ReclaimVolume:
    """Create the claim of a volume anew, for the PersistentVolume it had, unless a claim of its name exists."""

    volume: str
    persistent_volume: str
    storage_class: str
    size: str
    access_modes: tuple[str, ...]


@dataclass(frozen=True)
class AnnotateVolume:
    """Write onto a volume's claim, by UID, what a recovery needs when nothing else is left."""

    volume: str
    uid: str
    facts: str


@dataclass(frozen=True)
class ExploreVolume:
    """Create the pod that reads what a claim's volume shows by itself, unless it exists."""

    volume: str
    claim_uid: str


@dataclass(frozen=True)
class CreateNode:
    """Create the ConfigMap and the pod of a node, unless they exist."""

    node: str


@dataclass(frozen=True)
class DeletePod:
    """Ask for a pod's end, by UID; `grace_seconds` None leaves the pod's own."""

    pod: str
    uid: str
    grace_seconds: int | None = None


@dataclass(frozen=True)
class ReleasePod:
    """Remove our finalizer from a pod whose end is recorded, and delete it, by UID."""

    pod: str
    uid: str


@dataclass(frozen=True)
class DeleteConfigMap:
    """Delete the configuration of a node whose pod is gone."""

    name: str


@dataclass(frozen=True)
class LabelPod:
    """Set labels of a pod, by UID; None removes one."""

    pod: str
    uid: str
    labels: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class TakeOver:
    """Put the owner reference on an object that was made for this network and has lost it, by UID."""

    kind: Literal["Pod", "ConfigMap"]
    name: str
    uid: str


@dataclass(frozen=True)
class ApplyServices:
    """Apply the two Services of the network."""


@dataclass(frozen=True)
class ApplyTrustedBudget:
    """Apply the PodDisruptionBudget of the trusted nodes, of which `min_available` must stay."""

    min_available: int


@dataclass(frozen=True)
class ApplyRecoveryBudget:
    """Apply the PodDisruptionBudget that keeps candidates and winner of an attempt in progress."""


@dataclass(frozen=True)
class RemoveRecoveryBudget:
    """Delete the PodDisruptionBudget of a recovery that is over, if it is there and ours."""


@dataclass(frozen=True)
class ApplyIdentity:
    """Apply the ConfigMap with the current and the previous service certificate, where it still says `instead_of`."""

    instead_of: IdentityView | None = None


@dataclass(frozen=True)
class RemoveNodeRow:
    """Delete the row of a completely retired node, through a node of the service (CCF facts §7.2)."""

    through: str
    node_id: str


@dataclass(frozen=True)
class AcknowledgeState:
    """Acknowledge the service's state as the operator's member, at a node of it, which makes the member active.

    `token` stands for this message here and in the two that follow: what is refused is known by it.
    """

    through: str
    member_id: str
    token: str


@dataclass(frozen=True)
class Propose:
    """Propose actions as the operator's member, at a node of the service."""

    through: str
    member_id: str
    token: str
    actions: tuple[Action, ...]


@dataclass(frozen=True)
class Withdraw:
    """Withdraw a proposal of the operator's member, at a node of the service."""

    through: str
    member_id: str
    token: str
    proposal_id: str


@dataclass(frozen=True)
class AnswerDecision:
    """Write into a CCFRecoveryDecision, by UID, what became of it."""

    decision: str
    uid: str
    state: DecisionState
    message: str
    at: datetime


@dataclass(frozen=True)
class RemoveFinalizer:
    """Let the deleted CCFNetwork go."""


@dataclass(frozen=True)
class Report:
    """Publish an event on the CCFNetwork, unless it has been; `at` tells it from others with the same text."""

    reason: str
    message: str
    at: datetime
    warning: bool = False


SignAsMember = AcknowledgeState | Propose | Withdraw
"""What takes the key of the operator's member."""

Effect = (
    CreateVolume
    | ReclaimVolume
    | AnnotateVolume
    | ExploreVolume
    | CreateNode
    | DeletePod
    | ReleasePod
    | DeleteConfigMap
    | LabelPod
    | TakeOver
    | ApplyServices
    | ApplyTrustedBudget
    | ApplyRecoveryBudget
    | RemoveRecoveryBudget
    | ApplyIdentity
    | RemoveNodeRow
    | SignAsMember
    | AnswerDecision
    | RemoveFinalizer
    | Report
)


def names_in(effect: Effect) -> tuple[str, ...]:
    """Names of the node, pod or volume that an effect is about."""
    match effect:
        case CreateVolume(name) | AnnotateVolume(name) | ExploreVolume(name) | CreateNode(name):
            return (name,)
        case DeletePod(name) | ReleasePod(name) | DeleteConfigMap(name) | LabelPod(name):
            return (name,)
    return ()


__all__ = [
    "AcknowledgeState",
    "AnnotateVolume",
    "AnswerDecision",
    "ApplyIdentity",
    "ApplyRecoveryBudget",
    "ApplyServices",
    "ApplyTrustedBudget",
    "CreateNode",
    "CreateVolume",
    "DeleteConfigMap",
    "DeletePod",
    "Effect",
    "ExploreVolume",
    "LabelPod",
    "Propose",
    "ReclaimVolume",
    "ReleasePod",
    "RemoveFinalizer",
    "RemoveNodeRow",
    "RemoveRecoveryBudget",
    "Report",
    "SignAsMember",
    "TakeOver",
    "Withdraw",
    "names_in",
]
