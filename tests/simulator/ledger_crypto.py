"""Ledger secrets: AES-256-GCM of the private domain, commit evidence, and the wrapping of secrets (CCF facts §8.2, §6.6)."""

from __future__ import annotations

from collections.abc import Iterator

KEY_SIZE = 32


class DecryptionFailed(Exception):
    """Wrong key or damaged ciphertext."""


def new_key() -> bytes:
    """A fresh random 256-bit key."""
    raise NotImplementedError


class LedgerSecrets:
    """The secrets a node knows. A secret of version N encrypts every entry from seqno N to the next secret's version - 1."""

    def add(self, version: int, key: bytes) -> None:
        """Use `key` from seqno `version` on. Adding the same again is fine; another key for the version raises ValueError."""
        raise NotImplementedError

    def key_for(self, seqno: int) -> bytes | None:
        """The key that encrypts `seqno`; None if it is not known."""
        raise NotImplementedError

    @property
    def latest(self) -> tuple[int, bytes]:
        """Highest version and its key; raises LookupError if none is known."""
        raise NotImplementedError

    def items(self) -> Iterator[tuple[int, bytes]]:
        """(version, key), lowest version first."""
        raise NotImplementedError

    def rollback(self, seqno: int) -> None:
        """Forget every secret whose version is above `seqno` + 1, as CCF does when it rolls its store back."""
        raise NotImplementedError


def seal(key: bytes, iv: bytes, plain: bytes, authenticated: bytes) -> tuple[bytes, bytes]:
    """(16-byte tag, ciphertext as long as `plain`)."""
    raise NotImplementedError


def open_sealed(key: bytes, iv: bytes, tag: bytes, cipher: bytes, authenticated: bytes) -> bytes:
    """Raises DecryptionFailed."""
    raise NotImplementedError


def wrap(key: bytes, secret: bytes) -> bytes:
    """Encrypt a secret under another, in CCF's form: tag (16), IV (12, random), ciphertext.

    Used for the previous ledger secret in public:ccf.internal.historical_encrypted_ledger_secret and for the latest secret
    under the wrapping key that the members' shares rebuild.
    """
    raise NotImplementedError


def unwrap(key: bytes, wrapped: bytes) -> bytes:
    """Raises DecryptionFailed."""
    raise NotImplementedError


def commit_evidence(key: bytes, txid: str) -> str:
    """The text "ce:<view>.<seqno>:<hex>" that only a holder of the ledger secret `key` can make (receipts reveal it)."""
    raise NotImplementedError
