"""Manifests that the tests start from."""

from __future__ import annotations

from typing import Any


def minimal(name: str = "bank", **spec: Any) -> dict[str, Any]:
    """The least a user must write, with changes to the spec."""
    return {
        "apiVersion": "ccf.dev/v1alpha1",
        "kind": "CCFNetwork",
        "metadata": {"name": name},
        "spec": {
            "image": "registry.example/ccf-app:7.0.0",
            "members": [member("alice")],
            "constitution": {"configMapRef": {"name": "bank-constitution"}},
            **spec,
        },
    }


def member(name: str, **fields: Any) -> dict[str, Any]:
    """A member with both PEM texts in a ConfigMap."""
    return {
        "name": name,
        "certificate": {"configMapKeyRef": {"name": "bank-members", "key": f"{name}_cert.pem"}},
        "encryptionPublicKey": {"configMapKeyRef": {"name": "bank-members", "key": f"{name}_enc_pubk.pem"}},
        **fields,
    }


def without_share(name: str, **fields: Any) -> dict[str, Any]:
    """A member without a key for a recovery share."""
    return {key: value for key, value in member(name, **fields).items() if key != "encryptionPublicKey"}
