"""The spec of a CCFNetwork: what a user asks for.

The limits here are those the API server enforces by the CRD (`api.crd`); a spec that comes from it always parses.
Every default is written once, here, and ends up in the CRD: `image`, `members` and `constitution` suffice.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from ccf_operator.api.base import ApiModel

_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION_PART = re.compile(r"([0-9]+)(h|ms|m|s)")

DEFAULT_REQUESTS: dict[str, int | str] = {"cpu": "100m", "memory": "256Mi"}
"""What a CCF container asks for where the spec says nothing; never zero, so that nodes are not the first evicted."""


def seconds(text: str) -> float:
    """Seconds of a duration such as `30s`, `10m`, `500ms` or `1h30m`; ValueError if it is not one."""
    if not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(f"{text!r} is not a duration such as 30s, 10m or 500ms")
    return sum(int(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def milliseconds(text: str) -> int:
    """The same in whole milliseconds: what CCF's configuration takes as `<n>ms` (its minutes are written `min`)."""
    return round(seconds(text) * 1000)


DURATION_PATTERN = r"^([0-9]+(h|ms|m|s))+$"
QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
DATA_SIZE_PATTERN = r"^[1-9][0-9]*(B|KB|MB|GB)$"
OBJECT_NAME_PATTERN = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
DATA_KEY_PATTERN = r"^[-._a-zA-Z0-9]+$"
MEMBER_NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
IMAGE_PATTERN = r"^\S+$"

Duration = Annotated[str, StringConstraints(pattern=DURATION_PATTERN, max_length=32)]
"""A length of time such as `30s`, `10m`, `500ms` or `1h30m`."""

Quantity = Annotated[str, StringConstraints(pattern=QUANTITY_PATTERN, max_length=32)]
"""A Kubernetes quantity such as `10Gi`."""

DataSize = Annotated[str, StringConstraints(pattern=DATA_SIZE_PATTERN, max_length=16)]
"""A size in CCF's words, such as `5MB`."""

ObjectName = Annotated[str, StringConstraints(pattern=OBJECT_NAME_PATTERN, min_length=1, max_length=253)]
"""The name of a Kubernetes object."""

DataKey = Annotated[str, StringConstraints(pattern=DATA_KEY_PATTERN, min_length=1, max_length=253)]
"""A key of a ConfigMap."""


class RecoveryMode(StrEnum):
    """What the operator does when a loss of quorum is proven."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"
    DISABLED = "Disabled"


class RecoveryRole(StrEnum):
    """What a member is to recovery (CCF facts §3, `recovery_role`)."""

    PARTICIPANT = "Participant"
    OWNER = "Owner"
    NON_PARTICIPANT = "NonParticipant"


class AccessMode(StrEnum):
    """How a volume may be mounted."""

    READ_WRITE_ONCE = "ReadWriteOnce"
    READ_WRITE_ONCE_POD = "ReadWriteOncePod"


class Spread(StrEnum):
    """Whether nodes must, or only should, be apart."""

    REQUIRED = "Required"
    PREFERRED = "Preferred"


class LogLevel(StrEnum):
    """How much a CCF node logs, in CCF's words."""

    TRACE = "Trace"
    DEBUG = "Debug"
    INFO = "Info"
    FAIL = "Fail"
    FATAL = "Fatal"


class LocalRef(ApiModel):
    """A reference to an object of the same namespace."""

    name: ObjectName = Field(description="Name of the object, in the namespace of the network.")


class ConfigMapKeyRef(ApiModel):
    """A reference to one key of a ConfigMap of the same namespace."""

    name: ObjectName = Field(description="Name of the ConfigMap, in the namespace of the network.")
    key: DataKey = Field(description="Key of the ConfigMap.")


class PemSource(ApiModel):
    """Where a PEM text is: in a ConfigMap, or here. Exactly one of the two."""

    config_map_key_ref: ConfigMapKeyRef | None = Field(default=None, description="The PEM is in this ConfigMap.")
    value: Annotated[str, StringConstraints(min_length=1, max_length=16384)] | None = Field(
        default=None, description="The PEM itself."
    )

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.config_map_key_ref is None) == (self.value is None):
            raise ValueError("give exactly one of configMapKeyRef and value")
        return self


class Member(ApiModel):
    """A member of the consortium that the service starts with."""

    name: Annotated[str, StringConstraints(pattern=MEMBER_NAME_PATTERN, max_length=63)] = Field(
        description="What the operator calls the member; CCF itself knows it by its certificate."
    )
    certificate: PemSource = Field(description="The member's identity certificate.")
    encryption_public_key: PemSource | None = Field(
        default=None,
        description="The member's RSA public key, to which its recovery share is encrypted. A member without one takes "
        "no part in recovery.",
    )
    data: dict[str, Any] | None = Field(
        default=None, description="Free-form data that the constitution may look at (CCF's member_data)."
    )
    recovery_role: RecoveryRole | None = Field(
        default=None,
        description="What the member is to recovery: Participant (one share of many; CCF's default for a member with "
        "an encryption key), Owner (a share that suffices alone) or NonParticipant.",
    )

    @property
    def takes_part_in_recovery(self) -> bool:
        """Whether it holds one of the shares that the recovery threshold counts."""
        return self.encryption_public_key is not None and self.recovery_role in (None, RecoveryRole.PARTICIPANT)


class Constitution(ApiModel):
    """The JavaScript that governs the service."""

    config_map_ref: LocalRef = Field(description="The ConfigMap whose keys hold the files of the constitution.")
    files: list[DataKey] = Field(
        default_factory=list,
        max_length=64,
        description="Keys of the ConfigMap, concatenated in this order. Empty: every key that ends in .js, sorted.",
    )


class Storage(ApiModel):
    """The volume of each node."""

    size: Quantity = Field(default="10Gi", description="Size of volumes made from now on; those that exist stay.")
    storage_class_name: ObjectName | None = Field(
        default=None, description="Storage class of the volumes; the cluster's default class if absent."
    )
    access_mode: AccessMode = Field(
        default=AccessMode.READ_WRITE_ONCE,
        description="ReadWriteOncePod where the storage driver knows it: then two pods can never hold one volume.",
    )


class Recovery(ApiModel):
    """What is done when the majority is gone for good."""

    mode: RecoveryMode = Field(
        default=RecoveryMode.AUTOMATIC,
        description="Automatic: recover once the loss is proven. Manual: propose it and wait for approval. Disabled: "
        "say what is lost and do nothing.",
    )
    quorum_loss_window: Duration = Field(
        default="30s",
        description="How long no quorum must have been seen before the suspicion is announced. A proven loss is acted "
        "on at once; a suspicion never is.",
    )
    start_deadline: Duration = Field(
        default="10m",
        description="How long a candidate may wait for its pod and its machine, and how long the pod of any node may "
        "stay in each of the states before its node starts, until another takes its place.",
    )
    candidate_deadline: Duration = Field(
        default="10m",
        description="How long a candidate may run without progress, while its init container reads the ledger as well "
        "as from the start of its container.",
    )
    trust_machine_disks: bool = Field(
        default=False,
        description="Whether what a node had written counts as kept though its machine went down with it. CCF does not "
        "sync its ledger to the disk, so say yes only where the disks outlive a power cut with all they were given.",
    )


class Certificates(ApiModel):
    """How long certificates made at the start of a node or a service last."""

    node_validity_days: int = Field(default=365, ge=1, le=365, description="Days a node's certificate is valid.")
    service_validity_days: int = Field(default=365, ge=1, le=365, description="Days the service certificate is valid.")


class ServiceIdentity(ApiModel):
    """What clients are told of the service, in the ConfigMap `<network>-service-identity`."""

    overlap: Duration | None = Field(
        default=None,
        description="How long after a recovery the previous service's certificate stays in bundle.pem: until the next "
        "recovery if absent, not at all if 0s.",
    )


class OperatorMember(ApiModel):
    """A member of the consortium whose key the operator may use."""

    secret_ref: LocalRef = Field(
        description="A Secret of type kubernetes.io/tls (tls.crt, tls.key) with the certificate and the signing key of "
        "a member that has no encryption key. The operator needs the right to get this one Secret (chart value "
        "operatorMembers)."
    )


class Governance(ApiModel):
    """What the operator does in the service's governance; by itself nothing."""

    operator_member: OperatorMember | None = Field(
        default=None,
        description="With it the operator proposes, as this member, to trust nodes that join, to remove those that "
        "have ended, and to open the service after a recovery. It never votes. May be given and taken away at any "
        "time.",
    )


class Consensus(ApiModel):
    """Times of the consensus protocol, the same on every node."""

    message_timeout: Duration = Field(default="100ms", description="How often the primary is heard from.")
    election_timeout: Duration = Field(
        default="5000ms", description="After how long without the primary a backup stands for election."
    )


class Ledger(ApiModel):
    """The files of the ledger, the same on every node."""

    chunk_size: DataSize = Field(default="5MB", description="Size after which a new ledger file is begun.")


class LedgerSignatures(ApiModel):
    """When the ledger is signed; nothing commits before a signature."""

    tx_count: int = Field(default=5000, ge=1, le=1_000_000, description="Transactions between two signatures.")
    delay: Duration = Field(default="1000ms", description="Longest time between a transaction and its signature.")


def _resources_schema(schema: dict[str, Any]) -> None:
    quantities = {
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 32}]},
    }
    schema["properties"] = {
        "limits": {**quantities, "description": "The most it may use."},
        "requests": {**quantities, "description": "What is kept free for it.", "default": dict(DEFAULT_REQUESTS)},
    }
    del schema["additionalProperties"]


def _tolerations_schema(schema: dict[str, Any]) -> None:
    text = {"type": "string"}
    schema["items"] = {
        "type": "object",
        "description": "A toleration, as in a Pod.",
        "properties": {
            "key": {**text, "description": "Key of the taint; absent with operator Exists: every taint."},
            "operator": {"enum": ["Exists", "Equal"], **text, "description": "How the value is compared."},
            "value": {**text, "description": "Value of the taint, with operator Equal."},
            "effect": {
                "enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"],
                **text,
                "description": "Effect of the taint; absent: every effect.",
            },
            "tolerationSeconds": {"type": "integer", "description": "For how long, with effect NoExecute."},
        },
    }


class Pods(ApiModel):
    """How the pods of the nodes are run."""

    resources: dict[str, dict[str, int | str]] = Field(
        default_factory=lambda: {"requests": dict(DEFAULT_REQUESTS)},
        description="Requests and limits of the container that runs CCF.",
        json_schema_extra=_resources_schema,
    )
    node_selector: dict[str, str] = Field(
        default_factory=dict, description="Labels of the Kubernetes Nodes that may run a node."
    )
    tolerations: list[dict[str, Any]] = Field(
        default_factory=list,
        max_length=64,
        description="Taints that do not keep nodes away, besides those the operator tolerates of itself.",
        json_schema_extra=_tolerations_schema,
    )
    priority_class_name: ObjectName | None = Field(default=None, description="Priority class of the pods.")
    service_account_name: ObjectName | None = Field(
        default=None, description="Service account of the pods; they never get its token."
    )
    run_as_user: int = Field(
        default=1000, ge=1, le=2_147_483_647, description="User and group id that CCF runs as; never root."
    )
    host_spread: Spread = Field(
        default=Spread.REQUIRED, description="Whether two nodes must be, or only should be, on different machines."
    )
    zone_spread: Spread = Field(
        default=Spread.PREFERRED, description="Whether nodes must be, or only should be, spread over zones."
    )

    @field_validator("resources")
    @classmethod
    def _with_requests(cls, given: dict[str, dict[str, int | str]]) -> dict[str, dict[str, int | str]]:
        unknown = given.keys() - {"requests", "limits"}
        if unknown:
            raise ValueError(f"{sorted(unknown)[0]} is neither requests nor limits")
        return given if "requests" in given else {**given, "requests": dict(DEFAULT_REQUESTS)}


_BY_NAME: dict[str, Any] = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}


class CCFNetworkSpec(ApiModel):
    """What a CCF network should be."""

    nodes: int = Field(default=3, ge=1, le=9, description="How many nodes the service should have. Odd numbers serve.")
    image: Annotated[str, StringConstraints(pattern=IMAGE_PATTERN, min_length=1, max_length=1024)] = Field(
        description="The CCF application image. Every node must run the same CCF binary, else it cannot join."
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        default=None, description="When the image is pulled; Kubernetes' own default if absent."
    )
    image_pull_secrets: list[LocalRef] = Field(
        default_factory=list,
        max_length=16,
        description="Secrets for pulling the image.",
        json_schema_extra=_BY_NAME,
    )
    command: list[Annotated[str, StringConstraints(min_length=1, max_length=4096)]] = Field(
        default_factory=lambda: ["/opt/ccf/bin/js_generic"],
        min_length=1,
        max_length=64,
        description="The CCF binary in the image, and arguments; the operator adds --config and --log-level.",
    )
    members: list[Member] = Field(
        min_length=1,
        max_length=64,
        description="The members the service starts with. Governance changes them later.",
        json_schema_extra=_BY_NAME,
    )
    constitution: Constitution = Field(
        description="The constitution the service starts with. Governance changes it later."
    )
    recovery_threshold: int | None = Field(
        default=None,
        ge=1,
        le=254,
        description="How many members' shares a recovery takes, at the start of the service. Absent: those of all "
        "members with an encryption key.",
    )
    storage: Storage = Field(default_factory=Storage, description="The volume of each node.")
    recovery: Recovery = Field(default_factory=Recovery, description="What is done when the majority is gone for good.")
    certificates: Certificates = Field(
        default_factory=Certificates, description="How long certificates last. Governance renews them."
    )
    service_identity: ServiceIdentity = Field(
        default_factory=ServiceIdentity, description="What clients are told of the service."
    )
    governance: Governance = Field(
        default_factory=Governance, description="What the operator does in the service's governance."
    )
    consensus: Consensus = Field(default_factory=Consensus, description="Times of the consensus protocol.")
    ledger: Ledger = Field(default_factory=Ledger, description="The files of the ledger.")
    ledger_signatures: LedgerSignatures = Field(
        default_factory=LedgerSignatures, description="When the ledger is signed."
    )
    pods: Pods = Field(default_factory=Pods, description="How the pods of the nodes are run.")
    log_level: LogLevel = Field(default=LogLevel.INFO, description="How much a CCF node logs.")
