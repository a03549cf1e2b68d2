"""CCF's Merkle tree over the ledger and the signature transactions made from it."""

from __future__ import annotations

import base64
import json
import time
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate

from simulator.ledger_format import SINGLETON_KEY

SIGNATURES = "public:ccf.internal.signatures"
COSE_SIGNATURES = "public:ccf.internal.cose_signatures"
TREE = "public:ccf.internal.tree"
SIGNATURE_TABLES = frozenset((SIGNATURES, COSE_SIGNATURES, TREE))
"""A signature transaction writes nothing else."""

_FIRST_LEAF = bytes(32)
_ROOT_IS_THE_DIGEST = ec.ECDSA(Prehashed(hashes.SHA256()))


class BadSignature(Exception):
    """A signature transaction whose root is not that of the entries before it, or whose signature does not verify."""


class ProofStep(NamedTuple):
    """One sibling on the way from a leaf to the root."""

    on_left: bool
    digest: bytes


class MerkleTree:
    """Leaves are numbered by seqno; leaf 0 is CCF's all-zero first leaf, present from the start.

    Appending costs amortised constant time, a root or a proof logarithmic time.
    """

    def __init__(self) -> None:
        # _levels[k][i] is the hash over the leaves i * 2^k .. (i + 1) * 2^k - 1, whole subtrees only.
        self._levels: list[list[bytes]] = [[_FIRST_LEAF]]

    def append(self, leaf: bytes) -> None:
        level = 0
        node = leaf
        while True:
            if level == len(self._levels):
                self._levels.append([])
            nodes = self._levels[level]
            nodes.append(node)
            if len(nodes) % 2:
                return
            node = _parent(nodes[-2], nodes[-1])
            level += 1

    @property
    def size(self) -> int:
        """Number of leaves, leaf 0 included: the seqno of the next leaf."""
        return len(self._levels[0])

    def leaf(self, seqno: int) -> bytes:
        """Raises IndexError if it is not there."""
        return self._levels[0][seqno]

    def root(self, size: int | None = None) -> bytes:
        """Root over the first `size` leaves (all by default)."""
        return self._root_of(0, self.size if size is None else size)

    def retract(self, seqno: int) -> None:
        """Drop every leaf after `seqno`."""
        for level, nodes in enumerate(self._levels):
            del nodes[(seqno + 1) >> level :]

    def proof(self, seqno: int, size: int) -> tuple[ProofStep, ...]:
        """Path from leaf `seqno` to the root over the first `size` leaves."""
        steps = []
        level = 0
        node = seqno
        while (1 << level) < size:
            sibling = node ^ 1
            if sibling << level < size:
                width = min(1 << level, size - (sibling << level))
                steps.append(ProofStep(sibling < node, self._root_of(sibling << level, width)))
            node >>= 1
            level += 1
        return tuple(steps)

    def serialise(self, first: int) -> bytes:
        """Leaves `first`.. and the hashes of what precedes them, in the form of public:ccf.internal.tree."""
        leaves = self._levels[0][first:]
        counts = len(leaves).to_bytes(8, "big") + first.to_bytes(8, "big")
        return counts + b"".join(leaves) + b"".join(reversed(self._whole_subtrees(0, first)))

    def _root_of(self, start: int, width: int) -> bytes:
        subtrees = self._whole_subtrees(start, width)
        root = subtrees.pop()
        while subtrees:
            root = _parent(subtrees.pop(), root)
        return root

    def _whole_subtrees(self, start: int, width: int) -> list[bytes]:
        """The largest whole subtrees over `width` leaves from `start`, itself a multiple of a larger power of two."""
        nodes = []
        for level in range(width.bit_length() - 1, -1, -1):
            if width & (1 << level):
                nodes.append(self._levels[level][start >> level])
                start += 1 << level
        return nodes


class Signer(NamedTuple):
    """Who signs: the node's id, key and current certificate; the service's key, which makes the COSE signature."""

    node_id: str
    node_key: ec.EllipticCurvePrivateKey
    node_certificate: str  # PEM
    service_key: ec.EllipticCurvePrivateKey
    issuer: str = ""
    subject: str = ""


def signature_writes(
    tree: MerkleTree, view: int, signer: Signer, *, previous_signature: int
) -> dict[str, dict[bytes, bytes | None]]:
    """The writes of the signature transaction at `tree.size`; `previous_signature` is the seqno of the last, or 0."""
    root = tree.root()
    seqno = tree.size
    row = {
        "cert": signer.node_certificate,
        "commit_seqno": 0,
        "commit_view": 0,
        "hashed_nonce": "0" * 64,
        "node": signer.node_id,
        "root": root.hex(),
        "seqno": seqno,
        "sig": base64.b64encode(signer.node_key.sign(root, _ROOT_IS_THE_DIGEST)).decode(),
        "view": view,
    }
    cose = base64.b64encode(_cose_signature(signer, root, f"{view}.{seqno}")).decode()
    return {
        COSE_SIGNATURES: {SINGLETON_KEY: json.dumps(cose).encode()},
        SIGNATURES: {SINGLETON_KEY: json.dumps(row, separators=(",", ":")).encode()},
        TREE: {SINGLETON_KEY: tree.serialise(previous_signature)},
    }


def verify_signature(tree: MerkleTree, value: bytes) -> None:
    """Check a row of public:ccf.internal.signatures against the tree of the entries before it; raises BadSignature."""
    try:
        row = json.loads(value)
        root = bytes.fromhex(row["root"])
        signature = base64.b64decode(row["sig"])
        key = _public_key(row["cert"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadSignature(f"unreadable signature: {error}") from error
    if root != tree.root():
        raise BadSignature(f"signed root {root.hex()} is not {tree.root().hex()}, the root before {tree.size}")
    try:
        key.verify(signature, root, _ROOT_IS_THE_DIGEST)
    except InvalidSignature as error:
        raise BadSignature(f"signature at {tree.size} does not verify") from error


@lru_cache(maxsize=64)
def _public_key(certificate: str) -> ec.EllipticCurvePublicKey:
    key = load_pem_x509_certificate(certificate.encode()).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("not an elliptic-curve key")
    return key


def _parent(left: bytes, right: bytes) -> bytes:
    return sha256(left + right).digest()


_COSE_ES384 = -35
_COSE_ALGORITHM, _COSE_KID, _COSE_CWT_CLAIMS, _COSE_VDS = 1, 4, 15, 395
_CWT_ISSUER, _CWT_SUBJECT, _CWT_ISSUED_AT = 1, 2, 6
_VDS_CCF_LEDGER_SHA256 = 2
_COSE_SIGN1_TAG = 0xD2


def _cose_signature(signer: Signer, root: bytes, txid: str) -> bytes:
    """A detached COSE_Sign1 over the root by the service's key, with CCF's protected header."""
    public = signer.service_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    claims = {_CWT_ISSUED_AT: int(time.time()), _CWT_ISSUER: signer.issuer, _CWT_SUBJECT: signer.subject}
    protected = _cbor(
        {
            _COSE_ALGORITHM: _COSE_ES384,
            _COSE_KID: sha256(public).hexdigest().encode(),
            _COSE_VDS: _VDS_CCF_LEDGER_SHA256,
            _COSE_CWT_CLAIMS: claims,
            "ccf.v1": {"txid": txid},
        }
    )
    signed = _cbor(["Signature1", protected, b"", root])
    r, s = decode_dss_signature(signer.service_key.sign(signed, ec.ECDSA(hashes.SHA384())))
    signature = r.to_bytes(48, "big") + s.to_bytes(48, "big")
    return bytes((_COSE_SIGN1_TAG,)) + _cbor([protected, {}, None, signature])


def _cbor(value: object) -> bytes:
    match value:
        case None:
            return b"\xf6"
        case int():
            return _cbor_head(0, value) if value >= 0 else _cbor_head(1, -1 - value)
        case bytes():
            return _cbor_head(2, len(value)) + value
        case str():
            return _cbor_head(3, len(value.encode())) + value.encode()
        case list():
            return _cbor_head(4, len(value)) + b"".join(_cbor(item) for item in value)
        case dict():
            return _cbor_head(5, len(value)) + b"".join(_cbor(key) + _cbor(item) for key, item in value.items())
    raise TypeError(f"no CBOR for {type(value).__name__}")


def _cbor_head(major: int, argument: int) -> bytes:
    start = major << 5
    if argument < 24:
        return bytes((start | argument,))
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * size):
            return bytes((start | code,)) + argument.to_bytes(size, "big")
    raise ValueError(f"{argument} is too large for CBOR")
