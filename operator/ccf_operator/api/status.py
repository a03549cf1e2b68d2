"""The status of a CCFNetwork: what is, why, since when, and everything an attempt has decided.

The operator keeps no other state: whatever it must not forget between two effects is here.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from ccf_operator.api.base import Moment, StatusModel
from ccf_operator.api.decision import DecisionState
from ccf_operator.api.governance_status import GovernanceStatus
from ccf_operator.api.operator_member_status import OperatorMemberStatus


class Phase(StrEnum):
    """Where the network is in its life."""

    CREATING = "Creating"
    AWAITING_OPEN = "AwaitingOpen"
    RUNNING = "Running"
    DEGRADED = "Degraded"
    RECOVERING = "Recovering"
    AWAITING_MEMBERS = "AwaitingMembers"
    BLOCKED = "Blocked"
    DELETING = "Deleting"


class Verdict(StrEnum):
    """What the observations prove about quorum."""

    UNKNOWN = "Unknown"
    HEALTHY = "Healthy"
    DEGRADED = "Degraded"
    SUSPECTED = "Suspected"
    LOST = "Lost"


class Command(StrEnum):
    """How a CCF node is started (CCF facts §3, `command.type`)."""

    START = "Start"
    JOIN = "Join"
    RECOVER = "Recover"


class EndEvidence(StrEnum):
    """Why a node is known to have ended; nothing else proves it."""

    CONTAINER_TERMINATED = "ContainerTerminated"
    NEVER_STARTED = "NeverStarted"
    OUT_OF_SERVICE = "MachineOutOfService"
    MACHINE_DELETED = "MachineDeleted"


class SilenceCause(StrEnum):
    """Why a node whose container runs does not answer the operator, as far as the connection to it tells."""

    REFUSED = "Refused"
    TIMED_OUT = "TimedOut"
    NO_REPLY = "NoReply"
    UNREACHABLE = "Unreachable"
    NAME_UNKNOWN = "NameDoesNotResolve"
    TLS = "TLS"
    PROTOCOL = "Protocol"


class PodState(StrEnum):
    """How far the pod of a node has come."""

    NOT_CREATED = "NotCreated"
    UNSCHEDULED = "Unscheduled"
    ATTACHING = "Attaching"
    """It has a machine; its volumes and its network are being made ready there."""
    PULLING = "Pulling"
    """An image of it is being pulled, or cannot be."""
    CREATING = "Creating"
    """A container of it is being created, or cannot be."""
    STAGING = "Staging"
    """Its init container runs."""
    STAGED = "Staged"
    """Its init container has done its work, and the node has not started."""
    RUNNING = "Running"
    ENDED = "Ended"
    REJECTED = "Rejected"
    """It is over, and no container of it was reported to have ended."""


class CandidateStage(StrEnum):
    """How far a candidate has come."""

    FENCING = "Fencing"
    REFUSED = "Refused"
    """The API server refuses to make its pod."""
    NOT_CREATED = "NotCreated"
    UNSCHEDULED = "Unscheduled"
    ATTACHING = "Attaching"
    PULLING = "Pulling"
    CREATING = "Creating"
    STAGING = "Staging"
    STAGED = "Staged"
    READING = "Reading"
    DONE = "Done"


class CandidateResult(StrEnum):
    """What became of a candidate."""

    RECOVERED = "Recovered"
    EMPTY = "Empty"
    DAMAGED = "Damaged"
    WRONG_SERVICE = "WrongService"
    UNREACHABLE = "Unreachable"
    TIMED_OUT = "TimedOut"
    EXCLUDED = "Excluded"


class AttemptPhase(StrEnum):
    """The steps of a disaster recovery, in order."""

    FENCING = "Fencing"
    RECOVERING = "Recovering"
    AWAITING_APPROVAL = "AwaitingApproval"
    JOINING = "Joining"
    AWAITING_MEMBERS = "AwaitingMembers"


class AttemptResult(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "Succeeded"
    ABANDONED = "Abandoned"
    SUPERSEDED = "Superseded"


class ObstacleSource(StrEnum):
    """Who says that something cannot be done."""

    API_SERVER = "APIServer"
    STORAGE = "Storage"
    SCHEDULER = "Scheduler"
    KUBELET = "Kubelet"
    CCF = "CCF"
    NETWORK = "Network"


class Obstacle(StatusModel):
    """Something that keeps the network from what it should be, in the words of whoever says so."""

    source: ObstacleSource = Field(description="Who says so.")
    object: str = Field(description="What it is about, as `Kind name`.")
    reason: str = Field(description="One CamelCase word that says what is in the way.")
    message: str = Field(default="", description="The words of the source, shortened.")
    since: Moment = Field(description="Since when it stands.")


class Condition(StatusModel):
    """A Kubernetes condition (`metav1.Condition`)."""

    type: str = Field(description="Name of the condition.", max_length=316)
    status: str = Field(description="True, False or Unknown.", json_schema_extra={"enum": ["True", "False", "Unknown"]})
    reason: str = Field(description="One CamelCase word that says why.", max_length=1024)
    message: str = Field(default="", description="A sentence for people.", max_length=32768)
    last_transition_time: Moment = Field(description="When the status of this condition last changed.")
    observed_generation: int | None = Field(
        default=None, description="The generation of the spec that the condition was set for."
    )


class Ended(StatusModel):
    """The proof that a node has ended."""

    evidence: EndEvidence = Field(description="What proves it.")
    at: Moment = Field(description="When the proof was seen.")
    exit_code: int | None = Field(default=None, description="Exit code of the container `ccf`.")
    reason: str | None = Field(default=None, description="Reason the kubelet gave.")
    message: str | None = Field(default=None, description="The end of what the container said.")
    disk_kept: bool = Field(
        default=False,
        description="Whether the machine was seen to go on running (same boot id) when the process had ended, "
        "so that what the process had written is on the disk.",
    )
    unseen: bool = Field(
        default=False,
        description="Whether a node that was never seen to start may have run all the same, for the operator was away.",
    )


class Machine(StatusModel):
    """The Kubernetes Node a pod was bound to."""

    name: str = Field(description="Name of the Kubernetes Node.")
    uid: str | None = Field(default=None, description="UID of the Kubernetes Node.")
    boot_id: str | None = Field(default=None, description="Boot id the machine had when the pod ran on it.")


class Silence(StatusModel):
    """A node whose container runs and that the operator hears nothing of. That proves nothing about the node."""

    since: Moment = Field(description="Since when.")
    cause: SilenceCause | None = Field(default=None, description="Why, as far as the connection to it tells.")
    address: str = Field(default="", description="Where it is asked: IP:port.")
    words: str = Field(default="", description="The cause in words.")
    machine_ready: bool | None = Field(
        default=None, description="Whether its Kubernetes Node is Ready; absent where that cannot be read."
    )


class StageProgress(StatusModel):
    """How much the init container `stage` has read."""

    done: int = Field(description="Bytes it has read.")
    total: int = Field(description="Bytes it has to read, as far as is known.")
    at: Moment = Field(description="When it was last seen to have come further.")


class NodeRecord(StatusModel):
    """One CCF node: one pod, one process, one node id."""

    name: str = Field(description="Name of the node, its pod and its configuration ConfigMap.")
    volume: str = Field(description="Name of the PersistentVolumeClaim that holds its ledger.")
    generation: int = Field(description="The generation of the volume it writes.")
    command: Command = Field(description="How it was started.")
    attempt: int | None = Field(default=None, description="The attempt it was created for.")
    join_target: str | None = Field(default=None, description="The node it joins through.")
    join_address: str | None = Field(
        default=None, description="host:port of the client interface it joins through, fixed when it was planned."
    )
    service_certificate: str | None = Field(
        default=None, description="PEM: of a joiner, the service it joins; of a candidate, the service it recovers."
    )
    planned_at: Moment = Field(description="When it was planned.")
    pod_uid: str | None = Field(default=None, description="UID of its pod, once created.")
    machine: Machine | None = Field(default=None, description="Where it runs.")
    started_at: Moment | None = Field(
        default=None, description="When the kubelet was first seen to report that its container `ccf` runs."
    )
    pod_ip: str | None = Field(
        default=None,
        alias="podIP",
        description="Last IP address of its pod: it is asked there if its pod is rejected.",
    )
    node_id: str | None = Field(
        default=None, description="CCF node id: SHA-256 of its public key, fixed at the first contact."
    )
    certificate_expires_at: Moment | None = Field(default=None, description="When the certificate it shows runs out.")
    joined_at: Moment | None = Field(
        default=None, description="When it was first seen as a caught-up, trusted part of its service."
    )
    silence: Silence | None = Field(
        default=None, description="Set while its container runs and the operator hears nothing of it."
    )
    unregistered_since: Moment | None = Field(
        default=None,
        description="Of a joiner that runs and answers the operator: since when the service's primary has not heard of "
        "it, so that it may not reach whom it joins through.",
    )
    stranded_since: Moment | None = Field(
        default=None,
        description="Of a joiner that says it has joined: since when, look after look, the service's primary has "
        "known nothing of it. What made it a part of the service was rolled back, and it never asks again.",
    )
    state: PodState | None = Field(
        default=None,
        description="How far its pod has come. Attaching: volumes and network are made ready; Pulling, Creating: an "
        "image or a container is awaited; Staging: the init container runs; Staged: that has ended well, and CCF has "
        "not started; Rejected: it is over and no container was reported to have ended.",
    )
    state_since: Moment | None = Field(default=None, description="Since when.")
    staged: StageProgress | None = Field(
        default=None, description="How far its init container has come, while that runs and says so."
    )
    tries: int = Field(default=0, description="How many nodes before it, in its place, never started.")
    made_of: str | None = Field(
        default=None,
        description="Digest of all of the spec that its objects are made of. While it has not started, it is replaced "
        "when that changes.",
    )
    stage_image: str | None = Field(default=None, description="Image of its init container, as asked for.")
    fit: bool = Field(default=False, description="Whether it serves clients.")
    stop: str | None = Field(default=None, description="Why the operator stops it; absent while it should run.")
    started_from: str | None = Field(
        default=None,
        description="Of a first node: digest of the spec and the files it was started from. Another one is started "
        "only when they have changed.",
    )
    ended: Ended | None = Field(default=None, description="The proof of its end.")
    lives: str | None = Field(
        default=None,
        description="What has shown that it still runs though somebody had said that it does not. Word of its machine "
        "is not taken until it has been withdrawn and is given anew, or a person ends the attempt.",
    )
    released: bool = Field(default=False, description="Its end is recorded and the pod's finalizer has been removed.")
    note: str | None = Field(default=None, description="What a person should know about it.")


class ClaimedGeneration(StatusModel):
    """A generation that a node has claimed which this status knows nothing of."""

    generation: int = Field(description="Its number.")
    node: str | None = Field(default=None, description="The node that has claimed it, as its manifest says.")
    recoveries: int | None = Field(
        default=None,
        description="How many recoveries the service has come through at most whose ledger it may hold; absent: it is "
        "not known.",
    )


class VolumeRecord(StatusModel):
    """One volume: a claim whose generations hold ledgers."""

    name: str = Field(description="Name of the PersistentVolumeClaim.")
    uid: str | None = Field(default=None, description="UID of the claim, once seen.")
    lineage: list[int] = Field(
        default_factory=list,
        description="The generations that together hold the ledger of the last open service on this volume.",
    )
    service: str | None = Field(
        default=None, description="Public key of the open service the lineage last belonged to."
    )
    next_generation: int = Field(default=0, description="The generation the next node on this volume writes.")
    doubtful: list[int] = Field(
        default_factory=list,
        description="Generations of failed attempts whose service members may have opened without having been asked.",
    )
    claimed: list[ClaimedGeneration] = Field(
        default_factory=list,
        description="Generations that `stage` has found to be claimed by nodes that this status knows nothing of.",
    )
    set_aside: str | None = Field(default=None, description="Why no new joiner is given it, where none is.")
    unstarted: int = Field(default=0, description="How many nodes in a row never started on it.")
    storage: str | None = Field(default=None, description="Digest of the spec's storage that its claim is made of.")
    machine: str | None = Field(default=None, description="The Kubernetes Node on which it was last used.")
    note: str | None = Field(default=None, description="What a person should know about it.")
    persistent_volume: str | None = Field(
        default=None, description="Name of the PersistentVolume that the claim is or was bound to."
    )
    persistent_volume_uid: str | None = Field(default=None, description="UID of that PersistentVolume.")
    retained_since: Moment | None = Field(
        default=None, description="Since when it is seen, of a claim that is being deleted, that its volume will stay."
    )


class ServiceStatus(StatusModel):
    """The CCF service as the operator knows it to be open (or, before the first opening, as it was created)."""

    status: str | None = Field(default=None, description="Service status in CCF's words.")
    certificate: str | None = Field(default=None, description="PEM of the current service certificate.")
    public_key: str | None = Field(default=None, description="SHA-256 of the service's public key (DER), hex.")
    previous_certificate: str | None = Field(
        default=None, description="PEM of the service certificate before the last recovery."
    )
    overlap_ended: bool = Field(
        default=False, description="Whether clients are not told any more to trust the previous certificate, too."
    )
    recovery_count: int = Field(default=0, description="CCF's own count of recoveries.")
    create_tx_id: str | None = Field(default=None, alias="createTxID", description="TxID the service was created at.")
    opened_at: Moment | None = Field(default=None, description="When it was first seen open.")
    approved_loss: str | None = Field(
        default=None,
        description="What a person has approved to be missing from it, where that is so: views and TxIDs of the lost "
        "range may then be used again, with other content.",
    )


class HighWaterMark(StatusModel):
    """The greatest committed TxID seen while the service was open."""

    tx_id: str = Field(alias="txID", description="view.seqno")
    service: str = Field(description="Public key of the service it belongs to.")
    seen_at: Moment = Field(description="When it was seen.")


class Configuration(StatusModel):
    """A committed consensus configuration."""

    seqno: int = Field(description="Where in the ledger it was set.")
    nodes: list[str] = Field(description="CCF node ids.")
    pending: list[list[str]] = Field(
        default_factory=list, description="Configurations that were set after it and had not committed when last seen."
    )
    service: str = Field(description="Public key of the service it belongs to.")
    seen_at: Moment = Field(description="When this configuration was first seen.")


class QuorumEvidence(StatusModel):
    """What was seen of one node of the configuration."""

    node: str = Field(description="Name of the node, or its CCF node id where the name is not known.")
    seen: str = Field(description="What was seen.")
    at: Moment = Field(description="When.")
    detail: str = Field(default="", description="What else is known, where it does not answer.")


class QuorumStatus(StatusModel):
    """The verdict and its evidence."""

    verdict: Verdict = Field(default=Verdict.UNKNOWN, description="What the observations prove.")
    since: Moment | None = Field(default=None, description="Since when.")
    unseen_since: Moment | None = Field(default=None, description="Since when no quorum has been seen.")
    message: str = Field(default="", description="The verdict in a sentence.")
    evidence: list[QuorumEvidence] = Field(default_factory=list, description="What it rests on.")


class Survey(StatusModel):
    """What the `stage` init container found on a volume, shortened."""

    last_signed: str | None = Field(default=None, description="TxID of the last signature found.")
    sound: bool = Field(default=True, description="Whether the ledger looked whole.")
    problems: list[str] = Field(default_factory=list, description="What looked wrong.")
    configurations: list[list[str]] = Field(
        default_factory=list, description="The last consensus configurations found in the public ledger, oldest first."
    )
    configuration_seqnos: list[int] = Field(default_factory=list, description="Where each configuration was set.")
    opened: bool = Field(
        default=False,
        description="Whether the ledger shows that its service was open, so that clients may have used it.",
    )
    opened_later: list[str] = Field(
        default_factory=list,
        description="Public keys of later services that generations beside the ledger show to have been opened.",
    )
    doubts: list[str] = Field(
        default_factory=list,
        description="Generations beside the ledger that may hold a later service that was opened; one sentence each.",
    )


class Candidate(StatusModel):
    """A `Recover` node on a surviving volume."""

    volume: str = Field(description="The volume.")
    claim_uid: str | None = Field(default=None, description="UID of the claim when the attempt began.")
    lineage: list[int] = Field(description="The generations it recovers from.")
    doubtful: list[int] = Field(
        default_factory=list,
        description="Generations of failed attempts that are looked at, for they may hold a service that was opened.",
    )
    generation: int | None = Field(default=None, description="The generation it writes, once its volume is fenced.")
    node: str | None = Field(default=None, description="The node started for it, once its volume is fenced.")
    created_at: Moment | None = Field(default=None, description="When its volume was fenced and its pod wanted.")
    started_at: Moment | None = Field(default=None, description="When its container started.")
    progress: int = Field(default=0, description="The last signed seqno it reported while reading.")
    progress_at: Moment | None = Field(default=None, description="When that last grew.")
    stage: CandidateStage = Field(
        default=CandidateStage.FENCING,
        description="How far it has come: as its node's state; Reading: CCF reads the ledger; Done: there is a result.",
    )
    read: StageProgress | None = Field(
        default=None, description="How far its init container has come, while that reads the ledger."
    )
    result: CandidateResult | None = Field(default=None, description="What became of it.")
    tx_id: str | None = Field(default=None, alias="txID", description="Recovered TxID (view.seqno).")
    detail: str | None = Field(
        default=None,
        description="Why, where the result is not Recovered; where there is none yet, what is in the way.",
    )
    create_tx_id: str | None = Field(default=None, alias="createTxID", description="TxID its service was created at.")
    service_certificate: str | None = Field(default=None, description="PEM of the service it made.")
    service_key: str | None = Field(default=None, description="SHA-256 of that service's public key.")
    silent_since: Moment | None = Field(
        default=None, description="Since when it has not answered, where it had recovered before."
    )
    tries: int = Field(default=0, description="How many of its nodes were ended by something else than the ledger.")
    retry_at: Moment | None = Field(default=None, description="When its next node may start, after such an end.")
    unstarted: int = Field(default=0, description="How many of its nodes in a row never started.")
    made_of: str | None = Field(
        default=None, description="Digest of all of the spec that its last node's objects were made of."
    )
    survey: Survey | None = Field(default=None, description="What was found on the volume before it started.")


class Approval(StatusModel):
    """A person's word that a ledger may be recovered in spite of what may be missing."""

    decision: str = Field(description="Name of the CCFRecoveryDecision.")
    uid: str = Field(description="Its UID.")
    token: str = Field(description="The token it was given for.")
    at: Moment = Field(description="When it was seen.")
    reason: str = Field(default="", description="Why, in its author's words.")
    volume: str | None = Field(default=None, description="The volume that was best then.")
    tx_id: str | None = Field(default=None, alias="txID", description="What that volume's ledger ended at.")
    possible_loss: list[str] = Field(default_factory=list, description="What might have been missing, as was shown.")


class Winner(StatusModel):
    """The chosen candidate; written once."""

    node: str = Field(description="Name of the node.")
    volume: str = Field(description="Its volume.")
    tx_id: str = Field(alias="txID", description="Recovered TxID.")
    create_tx_id: str = Field(alias="createTxID", description="TxID its service was created at.")
    recovery_count: int = Field(description="CCF's count of recoveries in it.")
    service_certificate: str = Field(description="PEM of the service it made.")
    public_key: str = Field(description="SHA-256 of that service's public key.")
    chosen_at: Moment = Field(description="When it was chosen.")
    approved_loss: list[str] = Field(
        default_factory=list, description="What may be missing from it, as a person has approved."
    )


class Timeline(StatusModel):
    """When each step of an attempt was done."""

    suspected_at: Moment | None = Field(default=None, description="No quorum was seen any more.")
    proven_at: Moment | None = Field(default=None, description="The loss was proven.")
    fenced_at: Moment | None = Field(default=None, description="Every candidate's volume was fenced or given up.")
    recovered_at: Moment | None = Field(default=None, description="Every candidate had a result.")
    chosen_at: Moment | None = Field(default=None, description="The winner was written.")
    losers_gone_at: Moment | None = Field(default=None, description="Every other candidate had provably ended.")
    joined_at: Moment | None = Field(default=None, description="The joiners had caught up.")
    accepted_at: Moment | None = Field(default=None, description="The members accepted the new service.")
    open_at: Moment | None = Field(default=None, description="The service was open on a quorum.")


class Start(StatusModel):
    """A recovery that a person has started: of a service that has not provably lost its quorum, or of one that has."""

    token: str = Field(description="What a CCFRecoveryDecision that calls it off must name: that of the attempt.")
    attempt: int = Field(description="Number of the attempt that it begins.")
    decision: str = Field(description="Name of the CCFRecoveryDecision.")
    at: Moment = Field(description="When.")
    reason: str = Field(default="", description="Why, in its author's words.")
    ending_since: Moment | None = Field(
        default=None, description="Since when the service's nodes are being ended; it can be called off before that."
    )


class Attempt(StatusModel):
    """One disaster recovery: everything it has decided."""

    number: int = Field(description="Number of the attempt.")
    phase: AttemptPhase = Field(description="Step it is in.")
    token: str = Field(
        default="",
        description="What a CCFRecoveryDecision about this attempt must name; while approval is awaited it also stands "
        "for the best candidate and for what may be missing from it.",
    )
    reason: str = Field(default="", description="Why it waits, where it does.")
    message: str = Field(default="", description="The same in a sentence.")
    base_service: str = Field(description="Public key of the service being recovered.")
    base_certificate: str = Field(description="PEM of the certificate of the service being recovered.")
    base_recovery_count: int = Field(description="Its recovery count.")
    base_high_water_mark: str | None = Field(default=None, description="Its high-water mark.")
    unsettled: int | None = Field(
        default=None,
        description="The attempt whose recovered network is being recovered, since it was lost before it was known "
        "whether the members had opened it.",
    )
    configuration: list[str] = Field(description="Its committed configuration: CCF node ids.")
    configuration_seqno: int = Field(default=0, description="Where in the ledger that configuration was set.")
    pending: list[list[str]] = Field(
        default_factory=list, description="Configurations that may have replaced it when the loss was proven."
    )
    members_of: dict[str, str] = Field(
        default_factory=dict, description="Volume of each node id of the configuration, as known when it began."
    )
    evidence: list[QuorumEvidence] = Field(default_factory=list, description="The proof of the loss.")
    candidates: list[Candidate] = Field(default_factory=list, description="One per surviving volume.")
    possible_loss: list[str] = Field(
        default_factory=list, description="What may be missing, where it cannot be excluded; one sentence each."
    )
    forks: list[str] = Field(
        default_factory=list, description="Ledgers found to be on another branch than the best; one sentence each."
    )
    tried: list[str] = Field(
        default_factory=list,
        description="Volumes that the attempts just before had chosen, which led nowhere: of ledgers that end alike, "
        "another is preferred.",
    )
    excluded: list[str] = Field(default_factory=list, description="Volumes that a person has left out.")
    pinned: str | None = Field(default=None, description="The volume that a person has chosen.")
    approval: Approval | None = Field(default=None, description="A person's approval, for what was shown then.")
    start: Start | None = Field(default=None, description="The decision by which a person began it.")
    winner: Winner | None = Field(default=None, description="The chosen candidate.")
    given_up: list[str] = Field(
        default_factory=list,
        description="What a person has given up of the service being recovered, where that had come back after the "
        "members had accepted the recovered one; one sentence each.",
    )
    network: Configuration | None = Field(
        default=None, description="The consensus configuration of the recovering network, once joiners are part of it."
    )
    leaderless_since: Moment | None = Field(
        default=None, description="Since when the recovering network has not shown a primary."
    )
    stuck_since: Moment | None = Field(
        default=None, description="Since when the recovering network has been in a state that CCF cannot leave."
    )
    stuck_at: str | None = Field(default=None, description="TxID that its primary had committed then.")
    timeline: Timeline = Field(default_factory=Timeline, description="When each step was done.")


class AttemptSummary(StatusModel):
    """A past attempt."""

    number: int = Field(description="Number of the attempt.")
    result: AttemptResult = Field(description="How it ended.")
    message: str = Field(default="", description="Why, in a sentence.")
    winner_volume: str | None = Field(default=None, description="Volume of the winner.")
    tx_id: str | None = Field(default=None, alias="txID", description="Recovered TxID.")
    candidates: dict[str, str] = Field(default_factory=dict, description="Volume: result and TxID.")
    approval: Approval | None = Field(default=None, description="A person's approval of what might have been missing.")
    start: Start | None = Field(default=None, description="The decision by which a person began it.")
    timeline: Timeline = Field(default_factory=Timeline, description="When each step was done.")
    ended_at: Moment = Field(description="When it ended.")


class Unsettled(StatusModel):
    """A recovered network that was lost before it was known whether its members had opened it.

    If they had, it is what must be recovered next; if not, nothing of it counts.
    """

    attempt: int = Field(description="The attempt that made it.")
    public_key: str = Field(description="SHA-256 of its service's public key.")
    certificate: str = Field(description="PEM of its service certificate.")
    recovery_count: int = Field(description="CCF's count of recoveries in it.")
    configuration: Configuration = Field(description="Its last known consensus configuration.")
    lineages: dict[str, list[int]] = Field(
        default_factory=dict, description="The generations that hold its ledger, by volume."
    )
    members_of: dict[str, str] = Field(default_factory=dict, description="Volume of each of its CCF node ids.")
    base_high_water_mark: str | None = Field(
        default=None,
        description="Greatest TxID of the service before it that was known when it was chosen: if a later one is seen "
        "committed, that service had come back.",
    )


class JoinFailures(StatusModel):
    """Joiners that ended before they were part of the service, since the last one that became so."""

    count: int = Field(description="How many times in a row.")
    last_at: Moment = Field(description="When the last one was seen to have ended.")
    message: str = Field(default="", description="What is known of its end.")
    node: str | None = Field(default=None, description="Name of the last one.")
    said: str | None = Field(default=None, description="Last words of CCF, where the last one gave up by itself.")
    made_of: str | None = Field(
        default=None,
        description="Digest of all of the spec that its objects were made of: when that changes, the next is not "
        "waited for.",
    )


class Paused(StatusModel):
    """Recovery waits because a person has ended an attempt."""

    token: str = Field(description="What a CCFRecoveryDecision that resumes recovery must name.")
    attempt: int = Field(description="The attempt that was ended.")
    decision: str = Field(description="Name of the CCFRecoveryDecision that ended it.")
    at: Moment = Field(description="When.")
    reason: str = Field(default="", description="Why, in its author's words.")


class FoundVolume(StatusModel):
    """A volume of an earlier network of this name."""

    name: str = Field(description="Name of the PersistentVolumeClaim.")
    uid: str = Field(description="UID of the claim.")
    service: str | None = Field(default=None, description="Public key of the service whose ledger it holds, if known.")
    recovery_count: int | None = Field(default=None, description="CCF's count of recoveries of that service.")
    shows: str = Field(default="", description="What is known of it, in a sentence.")
    reading_since: Moment | None = Field(
        default=None, description="Since when it is to be read; unset while pods may still write to it, or once it is."
    )
    read: StageProgress | None = Field(default=None, description="How far the pod that reads it has come.")
    being_read: bool = Field(default=False, description="Whether a decision has to wait for what it holds.")


class Found(StatusModel):
    """Volumes of an earlier network of this name: a person says whether it is recovered from them or left alone."""

    token: str | None = Field(
        default=None,
        description="What a CCFRecoveryDecision about them must name; unset while a volume is being read, or a pod may "
        "still write to one.",
    )
    volumes: list[FoundVolume] = Field(description="The volumes.")
    to_choose_from: list[str] = Field(
        default_factory=list,
        description="Where more than one service may be meant, a volume of each: Adopt must name one. Else empty.",
    )


class Adopted(StatusModel):
    """An earlier network that a person has given to this one; forgotten once its service is open again."""

    decision: str = Field(description="Name of the CCFRecoveryDecision.")
    at: Moment = Field(description="When.")
    network_uids: list[str] = Field(default_factory=list, description="UIDs of the network objects it had.")
    members_of: dict[str, str] = Field(default_factory=dict, description="Volume of each of its CCF node ids.")
    may_be_missing: list[str] = Field(
        default_factory=list,
        description="Services that were open later than the adopted one and whose ledgers no volume shows; one "
        "sentence each.",
    )
    disks_kept: list[str] = Field(
        default_factory=list, description="CCF node ids whose processes' writes are known to be on their volumes."
    )


class DecisionRecord(StatusModel):
    """A CCFRecoveryDecision and what became of it."""

    name: str = Field(description="Name of the CCFRecoveryDecision.")
    uid: str = Field(description="Its UID.")
    action: str = Field(description="What was decided.")
    volume: str | None = Field(default=None, description="The volume it is about.")
    manager: str | None = Field(default=None, description="The field manager that created it (kubectl-create, …).")
    reason: str = Field(default="", description="Why, in its author's words.")
    state: DecisionState = Field(description="What became of it.")
    message: str = Field(default="", description="What was done, or why it was refused.")
    at: Moment = Field(description="When.")


class PendingEvent(StatusModel):
    """An event that was decided on and may not have been published yet; dropped as soon as it is known to be."""

    reason: str = Field(description="Its reason.")
    message: str = Field(description="Its note.")
    warning: bool = Field(default=False, description="Whether it is a warning.")
    at: Moment = Field(description="When what it tells of was decided; no two events have the same.")


class Counters(StatusModel):
    """Numbers that only grow."""

    next_node: int = Field(default=0, description="Number of the next node.")
    next_volume: int = Field(default=0, description="Number of the next volume.")
    next_attempt: int = Field(default=1, description="Number of the next attempt.")


class OutdatedEvidence(StatusModel):
    """Something that is newer than the status."""

    where: str = Field(description="Where it was found.")
    what: str = Field(description="What was found.")


class Outdated(StatusModel):
    """The status is older than volumes, claims or running pods show: nothing is decided from it."""

    since: Moment = Field(description="Since when that is seen.")
    evidence: list[OutdatedEvidence] = Field(default_factory=list, description="What is newer, and where.")
    next_node: int = Field(description="Number of the next node as the status had it.")
    next_volume: int = Field(description="Number of the next volume as the status had it.")
    next_generations: dict[str, int] = Field(
        default_factory=dict, description="The next generation of each volume as the status had it."
    )


class NetworkStatus(StatusModel):
    """The status of a CCFNetwork."""

    observed_generation: int | None = Field(default=None, description="The generation of the spec this is about.")
    phase: Phase = Field(default=Phase.CREATING, description="Where the network is in its life.")
    phase_since: Moment | None = Field(default=None, description="Since when.")
    reason: str = Field(default="", description="Why it is there, in one CamelCase word.")
    message: str = Field(default="", description="The same in a sentence.")
    next_step: str = Field(default="", description="What a person must do next, if anything.")
    conditions: list[Condition] = Field(
        default_factory=list,
        description="Ready, QuorumHealthy, Recoverable, RecoveryInProgress, GovernanceRequired, "
        "ServiceIdentityChanged, CertificatesExpiring, Progressing, Reconciling, Stalled; OperatorMemberUsable where "
        "the spec names such a member.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    obstacles: list[Obstacle] = Field(
        default_factory=list,
        description="What the API server, the scheduler, a kubelet, CCF or the network says is in the way; each is "
        "gone when it has healed.",
    )
    nodes_total: int = Field(default=0, description="Nodes that run or are being started (for the scale subresource).")
    ready_nodes: str = Field(default="", description="Nodes fit for traffic / nodes wanted.")
    selector: str = Field(default="", description="Label selector of the network's pods (for the scale subresource).")
    recoveries: int = Field(default=0, description="Disaster recoveries this network has come through.")
    service: ServiceStatus = Field(default_factory=ServiceStatus, description="The CCF service.")
    quorum: QuorumStatus = Field(default_factory=QuorumStatus, description="The verdict about quorum.")
    governance: GovernanceStatus | None = Field(
        default=None, description="What the members have done; only while something is awaited of them."
    )
    high_water_mark: HighWaterMark | None = Field(default=None, description="Greatest committed TxID seen.")
    configuration: Configuration | None = Field(default=None, description="Last committed consensus configuration.")
    counters: Counters = Field(default_factory=Counters, description="Numbers that only grow.")
    nodes: list[NodeRecord] = Field(
        default_factory=list,
        description="The network's nodes.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    volumes: list[VolumeRecord] = Field(
        default_factory=list,
        description="The network's volumes.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    recovery_token: str | None = Field(
        default=None,
        description="What a CCFRecoveryDecision that starts a recovery of the open service must name, good for one.",
    )
    start: Start | None = Field(
        default=None, description="A recovery that a person has started and whose attempt has not begun yet."
    )
    attempt: Attempt | None = Field(default=None, description="The disaster recovery in progress.")
    unsettled: Unsettled | None = Field(
        default=None, description="A recovered network of which it is not known whether it had opened."
    )
    doubted: Unsettled | None = Field(
        default=None,
        description="A recovered network that was lost before its members were asked to open it. It is recovered if a "
        "volume shows that they had opened it all the same.",
    )
    join_failures: JoinFailures | None = Field(
        default=None, description="Joiners that failed since the last that joined; the next one waits longer each time."
    )
    paused: Paused | None = Field(
        default=None, description="No attempt begins until a person resumes recovery or the quorum comes back."
    )
    outdated: Outdated | None = Field(
        default=None, description="What shows that this status is older than volumes, claims or running pods."
    )
    found: Found | None = Field(
        default=None,
        description="Volumes of an earlier network of this name; all of this one's, where the status is out of date.",
    )
    disowned: list[str] = Field(
        default_factory=list, description="UIDs of claims that a person has declared to be none of this network's."
    )
    adopted: Adopted | None = Field(default=None, description="The earlier network that is being recovered.")
    operator_member: OperatorMemberStatus | None = Field(
        default=None, description="The member whose key the operator has, where the spec names one."
    )
    decisions: list[DecisionRecord] = Field(default_factory=list, description="The last decisions, newest first.")
    history: list[AttemptSummary] = Field(default_factory=list, description="The last attempts, newest first.")
    pending_events: list[PendingEvent] = Field(
        default_factory=list, description="Events that may not have been published yet, the oldest first."
    )

    def node(self, name: str) -> NodeRecord | None:
        """The record of the node with this name."""
        return next((n for n in self.nodes if n.name == name), None)

    def volume(self, name: str) -> VolumeRecord | None:
        """The record of the volume with this name."""
        return next((v for v in self.volumes if v.name == name), None)
