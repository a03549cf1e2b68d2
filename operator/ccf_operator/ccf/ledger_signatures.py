"""The signatures that CCF's nodes put into the ledger: a node's signature over the Merkle root before the entry.

A node is identified by its key (its id is the key's SHA-256), so the certificate a signature carries proves its signer
without any other table.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from ccf_operator.ccf.identity import BadCertificate, key_fingerprint
from ccf_operator.domain.txid import TxID

SIGNATURES_TABLE = "public:ccf.internal.signatures"


class BadSignature(Exception):
    """An entry of the signatures table that proves nothing."""


@dataclass(frozen=True)
class Signature:
    """A row of the signatures table. `signer` is a node id, `certificate` the signer's (PEM)."""

    tx_id: TxID
    signer: str
    root: bytes
    value: bytes
    certificate: str


def parse_signature(row: bytes) -> Signature:
    """Raises BadSignature."""
    try:
        fields = json.loads(row)
        return Signature(
            tx_id=TxID(int(fields["view"]), int(fields["seqno"])),
            signer=str(fields["node"]),
            root=bytes.fromhex(fields["root"]),
            value=base64.b64decode(fields["sig"], validate=True),
            certificate=str(fields["cert"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise BadSignature(f"unreadable signature: {error!r}") from error


def verify_signature(signature: Signature) -> None:
    """Check that the node it names has signed the root it gives. Raises BadSignature."""
    try:
        if key_fingerprint(signature.certificate) != signature.signer:
            raise BadSignature(f"the certificate is not of node {signature.signer[:8]}")
        key = x509.load_pem_x509_certificate(signature.certificate.encode()).public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise BadSignature("not an elliptic curve key")
        key.verify(signature.value, signature.root, ec.ECDSA(utils.Prehashed(SHA256())))
    except (BadCertificate, ValueError, InvalidSignature) as error:
        raise BadSignature(f"node {signature.signer[:8]} has not signed this: {error!r}") from error
