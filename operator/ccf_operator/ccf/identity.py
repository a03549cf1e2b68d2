"""Identities of CCF nodes and services: public keys of certificates, compared and shown as SHA-256 hex.

A node id is the SHA-256 of the node's DER SubjectPublicKeyInfo (CCF facts §3). Certificates are renewed with the
same key, so keys are compared, never certificates.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_UNREADABLE = (ValueError, TypeError, AttributeError, x509.InvalidVersion)
"""What the library raises for what is no certificate; peers and members can send anything."""
_LONG_HEX = re.compile(r"\b[0-9a-f]{32,}\b")


class BadCertificate(ValueError):
    """What should be a certificate does not parse as one."""


def node_id(der: bytes) -> str:
    """Node id of the owner of a DER certificate: 64 lower-case hex digits. Raises BadCertificate."""
    return _fingerprint(_load_der(der))


def key_fingerprint(pem: str) -> str:
    """SHA-256 hex of the public key of the first certificate in a PEM text. Raises BadCertificate."""
    return _fingerprint(load_certificate(pem))


def expires_at(pem: str) -> datetime:
    """The moment (UTC) after which the first certificate in a PEM text is not valid. Raises BadCertificate."""
    return load_certificate(pem).not_valid_after_utc


def certificate_ends_at(der: bytes) -> datetime:
    """The moment (UTC) after which a DER certificate is not valid. Raises BadCertificate."""
    return _load_der(der).not_valid_after_utc


def endorsed_by(der: bytes, service_pem: str) -> bool:
    """Whether the key of the service's certificate (PEM) signed a node's certificate (DER); validity in time is not
    looked at. Raises BadCertificate."""
    service, certificate = load_certificate(service_pem), _load_der(der)
    try:
        certificate.verify_directly_issued_by(service)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):  # also: another issuer, another kind of key
        return False
    return True


def load_certificate(pem: str) -> x509.Certificate:
    """The first certificate in a PEM text. Raises BadCertificate."""
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except _UNREADABLE as error:
        raise BadCertificate(f"not a PEM certificate: {error}") from error


def _load_der(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except _UNREADABLE as error:
        raise BadCertificate(f"not a DER certificate: {error}") from error


def shorten(text: str) -> str:
    """The text with node ids, key fingerprints and digests cut to their first eight characters."""
    return _LONG_HEX.sub(lambda found: f"{found.group()[:8]}…", " ".join(text.split()))


def called(identity: str, names: Mapping[str, str]) -> str:
    """What to call whoever has this id: the name where there is one, else the beginning of the id."""
    return names.get(identity, f"{identity[:8]}…")


def _fingerprint(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except Exception as error:  # the library raises UnsupportedAlgorithm and others for keys it does not know
        raise BadCertificate(f"public key of an unknown kind: {error}") from error
    return hashlib.sha256(key).hexdigest()
