"""Digests of what the objects of a node are made of, to tell whether the spec has been corrected since."""

from __future__ import annotations

import hashlib
import json

from ccf_operator.api.spec import CCFNetworkSpec

_NOT_OF_PODS = {
    "nodes",
    "members",
    "constitution",
    "recovery_threshold",
    "storage",
    "recovery",
    "service_identity",
    "governance",
}
"""Fields of a spec that make no difference to the pod of a node that joins or recovers."""


def made_of(spec: CCFNetworkSpec) -> str:
    """Digest of all of a spec that pods are made of.

    What is left at its default does not count: an operator that knows more fields, or other defaults, corrects nothing.
    """
    return _digest(spec.model_dump(mode="json", exclude=_NOT_OF_PODS, exclude_defaults=True))


def explorer_made_of(spec: CCFNetworkSpec, image: str) -> str:
    """Digest of all that a pod is made of that reads a volume; `image` is that of `stage`."""
    return _digest([spec.pods.model_dump(mode="json", exclude_defaults=True), image, _secrets(spec)])


def _secrets(spec: CCFNetworkSpec) -> list[str]:
    return [secret.name for secret in spec.image_pull_secrets]


def storage_of(spec: CCFNetworkSpec) -> str:
    """Digest of what claims are made of."""
    return _digest(spec.storage.model_dump(mode="json", exclude_defaults=True))


def _digest(what: object) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
