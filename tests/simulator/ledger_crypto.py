"""Ledger secrets: AES-256-GCM of the private domain, commit evidence, wrapping of secrets (CCF facts §6.6, §8.2)."""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from simulator.ledger_format import GCM_IV_SIZE, GCM_TAG_SIZE

KEY_SIZE = 32
_COMMIT_SECRET_LABEL = b"Commit S"


class DecryptionFailed(Exception):
    """Wrong key, no key, or damaged ciphertext."""


def new_key() -> bytes:
    """A fresh random 256-bit key."""
    return os.urandom(KEY_SIZE)


class LedgerSecrets:
    """The secrets a node knows. A secret of version N encrypts the entries from seqno N on, up to the next version."""

    def __init__(self) -> None:
        self._keys: dict[int, bytes] = {}
        self._versions: list[int] = []

    def add(self, version: int, key: bytes) -> None:
        """Use `key` from seqno `version` on. The same again is fine; another key for that version raises ValueError."""
        if self._keys.setdefault(version, key) != key:
            raise ValueError(f"another ledger secret is in use from {version} on")
        self._versions = sorted(self._keys)

    def key_for(self, seqno: int) -> bytes | None:
        """The key that encrypts `seqno`; None if it is not known."""
        for version in reversed(self._versions):
            if version <= seqno:
                return self._keys[version]
        return None

    @property
    def latest(self) -> tuple[int, bytes]:
        """Highest version and its key; raises LookupError if none is known."""
        if not self._versions:
            raise LookupError("no ledger secret")
        return self._versions[-1], self._keys[self._versions[-1]]

    def items(self) -> Iterator[tuple[int, bytes]]:
        """(version, key), lowest version first."""
        return iter([(version, self._keys[version]) for version in self._versions])

    def rollback(self, seqno: int) -> None:
        """Forget every secret that would begin after `seqno` + 1, but never the only one."""
        while len(self._versions) > 1 and self._versions[-1] > seqno + 1:
            del self._keys[self._versions.pop()]


def seal(key: bytes, iv: bytes, plain: bytes, authenticated: bytes) -> tuple[bytes, bytes]:
    """(16-byte tag, ciphertext as long as `plain`)."""
    sealed = _cipher(key).encrypt(iv, plain, authenticated)
    return sealed[-GCM_TAG_SIZE:], sealed[:-GCM_TAG_SIZE]


def open_sealed(key: bytes, iv: bytes, tag: bytes, cipher: bytes, authenticated: bytes) -> bytes:
    """Raises DecryptionFailed."""
    try:
        return _cipher(key).decrypt(iv, cipher + tag, authenticated)
    except InvalidTag as error:
        raise DecryptionFailed("wrong key or damaged ciphertext") from error


def wrap(key: bytes, secret: bytes) -> bytes:
    """Encrypt a secret under another, in CCF's form: tag (16), IV (12, random), ciphertext.

    For the previous ledger secret in public:ccf.internal.historical_encrypted_ledger_secret and for the latest secret
    under the wrapping key that the members' shares rebuild.
    """
    iv = os.urandom(GCM_IV_SIZE)
    tag, cipher = seal(key, iv, secret, b"")
    return tag + iv + cipher


def unwrap(key: bytes, wrapped: bytes) -> bytes:
    """Raises DecryptionFailed."""
    start = GCM_TAG_SIZE + GCM_IV_SIZE
    if len(wrapped) < start:
        raise DecryptionFailed(f"{len(wrapped)} bytes are no wrapped secret")
    return open_sealed(key, wrapped[GCM_TAG_SIZE:start], wrapped[:GCM_TAG_SIZE], wrapped[start:], b"")


def commit_evidence(key: bytes, txid: str) -> str:
    """The text "ce:<view>.<seqno>:<hex>" that only a holder of ledger secret `key` can make; receipts reveal it."""
    nonce = hmac.digest(_commit_secret(key), txid.encode(), "sha256")
    return f"ce:{txid}:{nonce.hex()}"


@lru_cache(maxsize=64)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


@lru_cache(maxsize=64)
def _commit_secret(key: bytes) -> bytes:
    return hmac.digest(key, _COMMIT_SECRET_LABEL, "sha256")
