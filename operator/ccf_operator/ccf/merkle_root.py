"""The root of CCF's Merkle tree over a ledger, in memory that grows with the logarithm of its length.

Leaf 0 is 32 zero bytes, then one leaf per entry. On every level a last, odd node moves up unchanged, so the tree is a
row of perfect trees of falling sizes, and the root is folded from the right.
"""

from __future__ import annotations

import hashlib


class MerkleRoot:
    """The tree of the entries appended so far."""

    def __init__(self) -> None:
        self._peaks: list[tuple[int, bytes]] = [(0, bytes(32))]

    def append(self, leaf: bytes) -> None:
        """Add the digest of the next entry."""
        height = 0
        while self._peaks and self._peaks[-1][0] == height:
            leaf = hashlib.sha256(self._peaks.pop()[1] + leaf).digest()
            height += 1
        self._peaks.append((height, leaf))

    def root(self) -> bytes:
        """The root over everything appended."""
        root = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            root = hashlib.sha256(peak + root).digest()
        return root
