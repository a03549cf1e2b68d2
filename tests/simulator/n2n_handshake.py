"""How two nodes of a service prove to each other who they are, before either listens to the other.

    caller -> callee   hello
    callee -> caller   hello, proof over both hellos
    caller -> callee   proof over both hellos

A hello names a node's certificate, its published address and a fresh nonce. The node id is the fingerprint of the
certificate's key; the certificate must be endorsed by the service; a proof is a signature with the certificate's key.
Expired certificates are no obstacle (CCF facts §7.4).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from simulator.identity import KeyPair, certificate_key, key_id

Side = Literal["caller", "callee"]


class NotProven(Exception):
    """The other side is no node of this service, or not the one it says, or this node cannot prove itself yet."""


@dataclass
class Credentials:
    """What a node proves itself with, and checks others against. May change while channels are open."""

    key: KeyPair  # the node's id is its fingerprint
    certificate: str | None = None  # PEM, endorsed by the service; no channel opens before the node has it
    service_key: bytes | None = None  # DER of the service's public key (identity.certificate_key)


@dataclass(frozen=True)
class Peer:
    """Whom a hello tells of: proven only once its proof is checked."""

    node_id: str
    address: str  # published "host:port"
    key: ec.EllipticCurvePublicKey


def hello(credentials: Credentials, published: str) -> bytes:
    """Raises NotProven if the node has no endorsed certificate yet."""
    if credentials.certificate is None:
        raise NotProven("no endorsed certificate yet")
    fields = {"certificate": credentials.certificate, "address": published, "nonce": secrets.token_hex(32)}
    return json.dumps(fields).encode()


def read_hello(raw: bytes, credentials: Credentials) -> Peer:
    """Raises NotProven if the certificate is not of this node's service."""
    if credentials.service_key is None:
        raise NotProven("the service is not known yet")
    try:
        fields = json.loads(raw)
        pem, address = str(fields["certificate"]), str(fields["address"])
        certificate = x509.load_pem_x509_certificate(pem.encode())
        key = certificate.public_key()
        issuer = load_der_public_key(credentials.service_key)
        algorithm = certificate.signature_hash_algorithm
    except (ValueError, KeyError, TypeError, UnsupportedAlgorithm) as error:
        raise NotProven(f"unreadable hello: {error}") from error
    if not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(issuer, ec.EllipticCurvePublicKey) and algorithm):
        raise NotProven("not an elliptic-curve certificate")
    try:
        issuer.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(algorithm))
    except InvalidSignature as error:
        raise NotProven("the certificate is not endorsed by this service") from error
    return Peer(key_id(certificate_key(pem)), address, key)


def prove(key: KeyPair, side: Side, caller_hello: bytes, callee_hello: bytes) -> bytes:
    return key.private.sign(_transcript(side, caller_hello, callee_hello), ec.ECDSA(hashes.SHA256()))


def check_proof(peer: Peer, side: Side, caller_hello: bytes, callee_hello: bytes, proof: bytes) -> None:
    """Raises NotProven."""
    try:
        peer.key.verify(proof, _transcript(side, caller_hello, callee_hello), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise NotProven(f"{peer.node_id} has not the key of its certificate") from error


def _transcript(side: Side, caller_hello: bytes, callee_hello: bytes) -> bytes:
    digests = (hashlib.sha256(part).digest() for part in (caller_hello, callee_hello))
    return b"\0".join((b"node-to-node", side.encode(), *digests))
