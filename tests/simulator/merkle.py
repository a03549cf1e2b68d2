"""CCF's Merkle tree over the ledger and the signature transactions made from it."""

from __future__ import annotations

from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

SIGNATURES = "public:ccf.internal.signatures"
COSE_SIGNATURES = "public:ccf.internal.cose_signatures"
TREE = "public:ccf.internal.tree"


class BadSignature(Exception):
    """A signature transaction whose root is not that of the entries before it, or whose signature does not verify."""


class ProofStep(NamedTuple):
    """One sibling on the way from a leaf to the root."""

    on_left: bool
    digest: bytes


class MerkleTree:
    """Leaves are numbered by seqno; leaf 0 is CCF's all-zero first leaf, present from the start."""

    def append(self, leaf: bytes) -> None:
        raise NotImplementedError

    @property
    def size(self) -> int:
        """Number of leaves, leaf 0 included: the seqno of the next leaf."""
        raise NotImplementedError

    def root(self, size: int | None = None) -> bytes:
        """Root over the first `size` leaves (all by default)."""
        raise NotImplementedError

    def retract(self, seqno: int) -> None:
        """Drop every leaf after `seqno`."""
        raise NotImplementedError

    def proof(self, seqno: int, size: int) -> tuple[ProofStep, ...]:
        """Path from leaf `seqno` to the root over the first `size` leaves."""
        raise NotImplementedError

    def serialise(self, first: int) -> bytes:
        """Leaves `first`.. and the hashes of what precedes them, in the form of public:ccf.internal.tree."""
        raise NotImplementedError


class Signer(NamedTuple):
    """Who signs: the node's id, key and current certificate; the service's key, which makes the COSE signature."""

    node_id: str
    node_key: EllipticCurvePrivateKey
    node_certificate: str  # PEM
    service_key: EllipticCurvePrivateKey | None


def signature_writes(
    tree: MerkleTree, view: int, signer: Signer, *, previous_signature: int
) -> dict[str, dict[bytes, bytes | None]]:
    """The writes of the signature transaction at seqno `tree.size`; `previous_signature` is the seqno of the one before."""
    raise NotImplementedError


def verify_signature(tree: MerkleTree, value: bytes) -> None:
    """Check a row of public:ccf.internal.signatures against the tree of the entries before it; raises BadSignature."""
    raise NotImplementedError
