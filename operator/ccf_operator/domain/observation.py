"""What one look at the cluster and the CCF nodes has shown: plain, frozen data, the only input of every decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ccf_operator.api.decision import CCFRecoveryDecisionSpec
from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.api.status import NetworkStatus, ObstacleSource
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.ccf.governance_answers import GovernanceAnswers
from ccf_operator.domain.effects import Effect, Report
from ccf_operator.domain.identity import IdentityView
from ccf_operator.domain.reasons import MemberReason


@dataclass(frozen=True)
class Terminated:
    """The kubelet's report that a container has ended."""

    exit_code: int
    reason: str = ""
    message: str = ""
    finished_at: datetime | None = None


@dataclass(frozen=True)
class ContainerView:
    """State of one container of a pod; all unset: the kubelet has not reported it."""

    running: bool = False
    started_at: datetime | None = None
    terminated: Terminated | None = None
    waiting_reason: str | None = None
    waiting_message: str | None = None


@dataclass(frozen=True)
class ReadBytes:
    """What a `stage` that runs says of its progress: bytes read, of how many, and the file it reads."""

    done: int
    total: int
    file: str = ""


@dataclass(frozen=True)
class PodView:
    """One pod of the network.

    `stage` is the init container, `ccf` the CCF process; a container the kubelet has not reported, or that the pod does
    not have, is an empty view.
    """

    name: str
    uid: str
    labels: Mapping[str, str]
    finalizers: tuple[str, ...]
    deleting: bool
    created_at: datetime
    phase: str
    ready: bool
    ip: str | None
    machine: str | None
    owner_uid: str | None
    """UID of the network object it belongs to: of its controller, or the one it was made for where it has none."""
    stage: ContainerView
    ccf: ContainerView
    unschedulable: str | None = None
    """The scheduler's message, if it could not place the pod."""
    explorer: ContainerView = ContainerView()
    """Of a pod that reads a volume: its one container."""
    reason: str = ""
    """Why it is in its phase, in the kubelet's or a controller's word (`NodeAffinity`, `Evicted`); mostly empty."""
    message: str = ""
    """The same in their sentence."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Image of each container, init containers too, by the containers' names."""
    made_of: str | None = None
    """Digest of what it is made of, as it was noted when it was created (`domain.made_of`)."""
    join_target: str | None = None
    """Of a joiner: the node it joins through, as it was noted when it was created."""
    others: Mapping[str, ContainerView] = field(default_factory=dict)
    """Containers that others have put into the pod."""
    has_controller: bool = True
    """Whether an owner reference says whose it is; a restore may have taken that off."""

    @property
    def every_container(self) -> Mapping[str, ContainerView]:
        """All its containers by name, those of others included."""
        ours = {"stage": self.stage, "ccf": self.ccf, "explorer": self.explorer}
        return {**{name: view for name, view in ours.items() if view != ContainerView()}, **self.others}


@dataclass(frozen=True)
class EventView:
    """A Kubernetes Event about one object: who writes it repeats it, so that it has a first and a last time."""

    reason: str
    message: str
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class ClaimView:
    """One PersistentVolumeClaim of the network."""

    name: str
    uid: str
    phase: str
    volume_name: str | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    deleting: bool = False
    reclaim_policy: str | None = None
    version: str | None = None
    """Kubernetes' resourceVersion."""


@dataclass(frozen=True)
class PersistentVolumeView:
    """One PersistentVolume.

    `claim` is namespace and name of the claim it is for and `claim_uid` that claim's UID, None where it is for none, or
    for whichever bears the name; `capacity` is a Kubernetes quantity.
    """

    name: str
    uid: str
    reclaim_policy: str
    deleting: bool = False
    claim: tuple[str, str] | None = None
    claim_uid: str | None = None
    storage_class: str = ""
    capacity: str = ""
    access_modes: tuple[str, ...] = ()


@dataclass(frozen=True)
class MachineView:
    """One Kubernetes Node."""

    name: str
    uid: str
    ready: bool
    boot_id: str | None
    out_of_service: bool
    """It carries the taint `node.kubernetes.io/out-of-service`: a person's word that it is down."""
    cordoned: bool = False
    """No pod is placed on it any more (`spec.unschedulable`)."""
    deleting: bool = False
    """Its Node object is being deleted; something waits for what runs there."""


@dataclass(frozen=True)
class MemberInput:
    """A member of the consortium with its files resolved."""

    name: str
    certificate: str
    encryption_public_key: str | None
    data: object | None
    recovery_role: str | None


@dataclass(frozen=True)
class Inputs:
    """What the spec refers to, resolved; `problems` says what is missing or does not parse."""

    constitution: tuple[tuple[str, str], ...] = ()
    members: tuple[MemberInput, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class DecisionView:
    """A CCFRecoveryDecision about this network; `state` and `message` are of its status, None until that is written."""

    name: str
    uid: str
    created_at: datetime
    spec: CCFRecoveryDecisionSpec
    manager: str | None = None
    state: str | None = None
    message: str = ""


@dataclass(frozen=True)
class ShareReport:
    """A member's word, as its plugin gives it, that CCF has taken its recovery share.

    `service`: key of the service that took it; `member`: id; `submitted` of `threshold` shares were in then; `at`: when
    the API server was told.
    """

    service: str
    member: str
    submitted: int
    threshold: int
    at: datetime


@dataclass(frozen=True)
class OperatorMemberView:
    """The member whose key the operator may use, as its Secret shows it; never the key.

    `problem` and `detail` say why it cannot be used as far as the Secret tells. `refused` has CCF's words by the token
    of what was signed, as far as this life of the operator knows.
    """

    secret: str
    member_id: str | None = None
    problem: MemberReason | None = None
    detail: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OperatorView:
    """The operator that looks, and how far it reaches.

    `pods` of the `networks` that it watches are ready by the word of their kubelets; `unreached_since`: since when it
    has heard no node at all, None while it hears one or none is ready. `pod`, `namespace` and `machine` are its own,
    empty where it was not told.
    """

    pod: str = ""
    namespace: str = ""
    machine: str = ""
    pods: int = 0
    networks: int = 0
    unreached_since: datetime | None = None


class Resolution(StrEnum):
    """What the operator's resolver says of the name of a node."""

    ADDRESS = "Address"
    NO_IPV4 = "NoIPv4"
    UNKNOWN = "Unknown"
    NO_ANSWER = "NoAnswer"


@dataclass(frozen=True)
class NamesView:
    """What is known of names: `of` maps those that were asked for to what the resolver said.

    `search_domain`: the cluster's domain by the operator's own resolver configuration; None where that has none.
    """

    of: Mapping[str, Resolution] = field(default_factory=dict)
    search_domain: str | None = None


@dataclass(frozen=True)
class Refusal:
    """An effect that is asked for, and that was refused when it was tried last.

    `about` is the object, as `Kind name`; `since` when it was refused first. One that is `passing` may well be done at
    the next try, and nobody needs to hear of it unless it stays.
    """

    effect: Effect
    source: ObstacleSource
    about: str
    reason: str
    message: str
    since: datetime
    passing: bool = False


@dataclass(frozen=True)
class Observation:
    """One look at one network.

    Lists are fresh reads, not caches. `answers` holds what each live pod's node said, by pod name; `machines` is None
    where Kubernetes Nodes could not be read.
    """

    now: datetime
    namespace: str
    name: str
    uid: str
    generation: int
    deleting: bool
    spec: CCFNetworkSpec
    status: NetworkStatus
    inputs: Inputs
    pods: Mapping[str, PodView]
    claims: Mapping[str, ClaimView]
    config_maps: frozenset[str]
    machines: Mapping[str, MachineView] | None
    answers: Mapping[str, NodeAnswers]
    persistent_volumes: Mapping[str, PersistentVolumeView | None] = field(default_factory=dict)
    """Those of the claims, now or earlier, by name; None: it does not exist. One that is not here could not be read."""
    namespace_terminating: bool = False
    """The namespace is being deleted: nothing can be made in it any more, and all in it goes."""
    identity: IdentityView | None = None
    """What clients are told; None while they are told nothing."""
    cluster_domain: str = "cluster.local"
    stage_image: str = ""
    """The image of `stage` that new pods get; empty where it is not known."""
    name_taken: tuple[str, ...] = field(default=())
    """Objects that bear one of our names but belong to someone else."""
    ownerless_config_maps: Mapping[str, str] = field(default_factory=dict)
    """UIDs, by their names, of the nodes' ConfigMaps that were made for this network and have no controller."""
    decisions: tuple[DecisionView, ...] = ()
    """What people have decided about this network, the oldest first."""
    share_reports: tuple[ShareReport, ...] = ()
    """Reports of recovery shares that the API server remembers; read only while shares are awaited."""
    published: frozenset[Report] = frozenset()
    """Events that this operator knows to have been published, or refused for good."""
    refusals: tuple[Refusal, ...] = ()
    """Effects that this operator was refused when it last tried them, as far as they were still asked for."""
    events: Mapping[str, tuple[EventView, ...]] = field(default_factory=dict)
    """What Events say of pods and claims that have not come further for a while, by the UIDs of these."""
    governance: GovernanceAnswers | None = None
    """What the primary that its nodes agree on said of the members and their proposals: of the open service, of one not
    yet open, or of the recovering network of an attempt. None where it was not asked: no primary is known, or nothing
    that rests on it is awaited."""
    read: Mapping[str, ReadBytes] = field(default_factory=dict)
    """What each `stage` that runs said of its progress, by pod name, where it was heard."""
    operator: OperatorView = OperatorView()
    names: NamesView = NamesView()
    watched_since: datetime | None = None
    """Since when this operator has looked at the network without a gap; None where that is not known."""
    operator_member: OperatorMemberView | None = None
    """The member of `spec.governance.operatorMember`; None where the spec names none."""
