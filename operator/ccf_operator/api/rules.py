"""What may not change, or contradicts itself, in a CCFNetwork: the CEL rules the API server enforces.

Each message says what to write instead. Rules are keyed by their place in the object: `.spec.members[]` is an item of
the members. CEL never sees Python; the same truths that Python needs are in `api.spec`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ccf_operator.api import spec


@dataclass(frozen=True)
class Rule:
    """One CEL rule. Its message is a constant: the estimated cost of making one from the object is beyond the limit."""

    rule: str
    message: str

    def to_schema(self) -> dict[str, Any]:
        """The rule as an item of `x-kubernetes-validations`."""
        return {"rule": self.rule, "message": self.message}


_HOLDS_A_SHARE = "has(m.encryptionPublicKey) && (!has(m.recoveryRole) || m.recoveryRole == 'Participant')"
_IS_OWNER = "has(m.encryptionPublicKey) && has(m.recoveryRole) && m.recoveryRole == 'Owner'"


_MADE = "has(oldSelf.status) && has(oldSelf.status.service) && has(oldSelf.status.service.publicKey)"
"""Whether the service exists: before, whatever it is to be made of can still be corrected."""


def _fixed(*path: str, message: str) -> Rule:
    """The field at this path, which may be left out, stays as it is once the service exists."""
    *parents, field = path
    new, old = (".".join((root, "spec", *parents)) for root in ("self", "oldSelf"))
    same = f"has({new}.{field}) == has({old}.{field}) && (!has({new}.{field}) || {new}.{field} == {old}.{field})"
    return Rule(f"!({_MADE}) || ({same})", message)


def _pem_source(kind: str) -> tuple[Rule, ...]:
    return (
        Rule(
            "has(self.configMapKeyRef) != has(self.value)",
            "write exactly one of configMapKeyRef: {name: <ConfigMap>, key: <key>} and value: <PEM text>",
        ),
        Rule(
            f"!has(self.value) || self.value.contains('-----BEGIN {kind}-----')",
            f"value must be the PEM text itself, with the line -----BEGIN {kind}----- in it; "
            "to name a file of a ConfigMap write configMapKeyRef: {name: <ConfigMap>, key: <key>}",
        ),
    )


RULES: dict[str, tuple[Rule, ...]] = {
    "": (
        Rule(
            "self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "metadata.name becomes part of DNS names: write at most 40 lower-case letters, digits and '-', beginning "
            "with a letter and not ending with '-', for example bank or bank-2",
        ),
        _fixed(
            "recoveryThreshold",
            message="recoveryThreshold is only what the service starts with: put the former value back and change the "
            "threshold by a governance proposal (set_recovery_threshold)",
        ),
        _fixed(
            "members",
            message="members are only those the service starts with: put the former list back and change the "
            "consortium by a governance proposal (set_member, remove_member)",
        ),
        _fixed(
            "constitution",
            message="the constitution here is only what the service starts with: put the former one back and change "
            "it by a governance proposal (set_constitution)",
        ),
        _fixed(
            "storage",
            "storageClassName",
            message="storageClassName cannot change once the service exists: put the former value back",
        ),
        _fixed(
            "storage",
            "accessMode",
            message="accessMode cannot change once the service exists: put the former value back",
        ),
    ),
    ".spec": (
        Rule(
            f"self.members.exists(m, ({_HOLDS_A_SHARE}) || ({_IS_OWNER}))",
            "no member could ever recover the service, and CCF would not open it: give at least one member an "
            "encryptionPublicKey (and not the recoveryRole NonParticipant)",
        ),
        Rule(
            f"!has(self.recoveryThreshold) || self.recoveryThreshold <= self.members.filter(m, {_HOLDS_A_SHARE}).size()"
            f" || (self.recoveryThreshold == 1 && self.members.exists(m, {_IS_OWNER}))",
            "recoveryThreshold is more than the members who hold a recovery share: lower it, or give more members an "
            "encryptionPublicKey",
        ),
    ),
    ".spec.members[]": (
        Rule(
            "!has(self.recoveryRole) || self.recoveryRole == 'NonParticipant' || has(self.encryptionPublicKey)",
            "a member who takes part in recovery needs a key for its recovery share: add encryptionPublicKey or "
            "leave recoveryRole out",
        ),
    ),
    ".spec.members[].certificate": _pem_source("CERTIFICATE"),
    ".spec.members[].encryptionPublicKey": _pem_source("PUBLIC KEY"),
    ".spec.consensus": (
        Rule(
            "duration(self.messageTimeout) > duration('0s') && "
            "duration(self.electionTimeout) > duration(self.messageTimeout)",
            "electionTimeout must be longer than messageTimeout, or nodes stand for election between two messages of "
            "a healthy primary; write for example messageTimeout: 100ms, electionTimeout: 5000ms",
        ),
    ),
}
"""Every rule, by its place."""

PATTERNS: dict[str, str] = {
    spec.DURATION_PATTERN: "write a number with its unit, h, m, s or ms, for example 30s, 10m or 500ms",
    spec.QUANTITY_PATTERN: "write an amount with its unit, for example 10Gi",
    spec.DATA_SIZE_PATTERN: "write a whole number with its unit, B, KB, MB or GB, for example 5MB",
    spec.OBJECT_NAME_PATTERN: "write the name of an object: lower-case letters, digits, '-' and '.'",
    spec.DATA_KEY_PATTERN: "write a key of the ConfigMap, for example alice_cert.pem",
    spec.MEMBER_NAME_PATTERN: "write a name of lower-case letters, digits and '-', for example alice or bank-of-bob",
    spec.IMAGE_PATTERN: "write an image reference without spaces, for example registry.example/ccf-app:7.0.0",
}
"""What to say of a text that does not match: the API server itself would only show the pattern."""


def matching(pattern: str) -> Rule:
    """The rule that stands for a pattern of the models."""
    return Rule(f"self.matches(r'{pattern}')", PATTERNS[pattern])
