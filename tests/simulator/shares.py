"""Recovery shares: the wrapped ledger secret, split among the recovery members (CCF facts §6.6, §8.2).

The latest ledger secret is wrapped (AES-256-GCM, zero nonce) with a key that nobody holds: it is derived from the
constant term of a random polynomial over the field of 2^31-1, ten limbs wide. Points of the polynomial are the
participants' shares; an owner gets the constant term itself. Every earlier ledger secret is encrypted with the one
after it, so that the latest opens them all. Field, limbs, derivation and encodings are CCF's.
"""

from __future__ import annotations

import base64
import json
import os
import secrets as random
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from simulator.gov_tables import (
    ENCRYPTED_PAST_SECRETS,
    RECOVERY_SHARES,
    SINGLETON,
    SUBMITTED_SHARES,
    active_recovery_members,
    read_json,
    recovery_threshold,
    write_json,
)
from simulator.gov_types import LedgerSecrets
from simulator.kv import Tx, Writes

PRIME = 2**31 - 1
LIMBS = 10
LEDGER_SECRET_BYTES = 32
_TAG, _NONCE = 16, 12
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


@dataclass(frozen=True)
class Share:
    """A point of the polynomials; x = 0 is the secret itself."""

    x: int
    limbs: tuple[int, ...]

    def serialise(self) -> bytes:
        return struct.pack(f"<{LIMBS + 1}I", self.x, *self.limbs)

    @classmethod
    def parse(cls, raw: bytes) -> Share:
        """Raises ValueError unless it has the size of a share."""
        if len(raw) != 4 * (LIMBS + 1):
            raise ValueError(f"a share has {4 * (LIMBS + 1)} bytes, not {len(raw)}")
        x, *limbs = struct.unpack(f"<{LIMBS + 1}I", raw)
        return cls(x, tuple(limbs))

    def wrapping_key(self) -> bytes:
        """Only of the secret (x = 0); ValueError of a partial share."""
        if self.x:
            raise ValueError("cannot derive a key from a partial share")
        material = struct.pack(f"<{LIMBS}I", *self.limbs)
        # CCF passes the key material as the label, too.
        return HKDF(hashes.SHA256(), LEDGER_SECRET_BYTES, None, material).derive(material)


def split(threshold: int, count: int) -> tuple[Share, list[Share]]:
    """A fresh random secret and `count` shares of it, any `threshold` of which give it back."""
    if not 1 <= threshold <= count:
        raise ValueError(f"threshold {threshold} of {count} shares")
    polynomials = [[random.randbelow(PRIME) for _ in range(threshold)] for _ in range(LIMBS)]

    def at(x: int) -> Share:
        return Share(x, tuple(sum(c * pow(x, i, PRIME) for i, c in enumerate(p)) % PRIME for p in polynomials))

    return at(0), [at(x) for x in range(1, count + 1)]


def combine(shares: Sequence[Share], threshold: int) -> Share:
    """The secret, by the first `threshold` shares. It is not proven to be the right one: the unwrapping shows that.

    Raises ValueError if they are too few or one is there twice."""
    if len(shares) < threshold:
        raise ValueError(f"only {len(shares)} recovery shares were submitted but recovery threshold is {threshold}")
    used = shares[:threshold]
    weights = []
    for i, one in enumerate(used):
        numerator = denominator = 1
        for j, other in enumerate(used):
            if i != j:
                numerator = numerator * other.x % PRIME
                denominator = denominator * (other.x - one.x) % PRIME
        if not denominator:
            raise ValueError("duplicate input share")
        weights.append(numerator * pow(denominator, -1, PRIME) % PRIME)
    return Share(
        0, tuple(sum(w * s.limbs[i] for w, s in zip(weights, used, strict=True)) % PRIME for i in range(LIMBS))
    )


class EncryptedSecretsHistory:
    """Collects what was ever written to the table of encrypted past ledger secrets, entry by entry.

    A node feeds it every applied entry in order (`observe`) and every rollback; recovery walks it backwards.
    """

    def __init__(self) -> None:
        self._values: list[tuple[int, Mapping[str, Any]]] = []

    def observe(self, seqno: int, writes: Writes) -> None:
        """Note the entry at `seqno` (entries without that table are fine)."""
        raw = writes.get(ENCRYPTED_PAST_SECRETS, {}).get(SINGLETON)
        if raw is not None:
            # A rekey leaves the version out: its secret is valid from the next entry on.
            self._values.append((seqno, {"next_version": seqno + 1, **_json(raw)}))

    def rollback(self, seqno: int) -> None:
        """Forget entries after `seqno`."""
        self._values = [(at, value) for at, value in self._values if at <= seqno]

    def values(self) -> tuple[Mapping[str, Any], ...]:
        """Oldest first; `next_version` is always present."""
        return tuple(value for _, value in self._values)


def issue_recovery_shares(tx: Tx, secrets: LedgerSecrets, *, new_secret: bytes | None = None) -> None:
    """Write shares of the latest of `secrets` (of `new_secret` at a rekey) for the active recovery members, and the
    secret before it encrypted with it. Raises RuntimeError if threshold and members do not allow it."""
    versions = sorted(secrets)
    value: dict[str, Any] = {}
    previous: int | None
    if new_secret is not None:
        latest, previous = new_secret, versions[-1]
    else:
        latest, previous = secrets[versions[-1]], versions[-2] if len(versions) > 1 else None
        value["next_version"] = versions[-1]
    _write_shares(tx, latest)
    if previous is not None:
        past: dict[str, Any] = {"encrypted_data": _b64(_seal(latest, secrets[previous])), "version": previous}
        stored = tx.version_of(ENCRYPTED_PAST_SECRETS, SINGLETON)
        if stored is not None:
            past["previous_secret_stored_version"] = stored
        value["previous_ledger_secret"] = past
    write_json(tx, ENCRYPTED_PAST_SECRETS, value)


def shuffle_recovery_shares(tx: Tx, secrets: LedgerSecrets) -> None:
    """New shares of the same, latest, ledger secret. Raises RuntimeError like `issue_recovery_shares`."""
    _write_shares(tx, secrets[max(secrets)])


def encrypted_share(tx: Tx, member_id: str) -> bytes | None:
    """A member's share, encrypted with the member's key; None if there is none. RuntimeError before any was issued."""
    info = read_json(tx, RECOVERY_SHARES)
    if info is None:
        raise RuntimeError("Failed to retrieve current recovery shares info")
    found = info["encrypted_shares"].get(member_id)
    return None if found is None else base64.b64decode(found)


def submit_share(tx: Tx, member_id: str, share: bytes, secrets: LedgerSecrets) -> int:
    """Keep a member's decrypted share (encrypted with the present service's ledger secret); how many there are now."""
    write_json(tx, SUBMITTED_SHARES, _b64(_seal(secrets[max(secrets)], share)), member_id.encode())
    return sum(1 for _ in tx.items(SUBMITTED_SHARES))


def is_full_key(share: bytes) -> bool:
    """True if it is an owner's share, which suffices alone."""
    return len(share) == 4 * (LIMBS + 1) and Share.parse(share).x == 0


def clear_submitted_shares(tx: Tx) -> None:
    for key, _ in list(tx.items(SUBMITTED_SHARES)):
        tx.remove(SUBMITTED_SHARES, key)


def restore_ledger_secrets(tx: Tx, secrets: LedgerSecrets, history: Sequence[Mapping[str, Any]]) -> dict[int, bytes]:
    """Combine the shares submitted so far and decrypt every ledger secret of the past services.

    `secrets` are those of the present service (submitted shares are encrypted with its latest); `history` is
    `EncryptedSecretsHistory.values()`. Raises RuntimeError if the shares are too few or wrong, or a ledger secret
    does not decrypt."""
    info = read_json(tx, RECOVERY_SHARES)
    if info is None or not history:
        raise RuntimeError("No recovery ledger secrets")
    try:
        submitted = [
            Share.parse(_unseal(secrets[max(secrets)], base64.b64decode(_json(raw))))
            for _, raw in sorted(tx.items(SUBMITTED_SHARES))
        ]
        full = [share for share in submitted if share.x == 0]
        key = (full[0] if full else combine(submitted, recovery_threshold(tx))).wrapping_key()
        latest = _unseal(key, base64.b64decode(info["wrapped_latest_ledger_secret"]))
        restored = {int(history[-1]["next_version"]): latest}
        for value in reversed(history):
            past = value.get("previous_ledger_secret")
            if past is None:
                break
            if past["version"] not in restored:
                latest = _unseal(latest, base64.b64decode(past["encrypted_data"]))
                restored[int(past["version"])] = latest
    except (ValueError, InvalidTag) as error:
        raise RuntimeError(f"Unwrapping latest ledger secret failed: {error!r}") from error
    return dict(sorted(restored.items()))


def _write_shares(tx: Tx, ledger_secret: bytes) -> None:
    participants, owners = active_recovery_members(tx, "Participant"), active_recovery_members(tx, "Owner")
    threshold = recovery_threshold(tx)
    if not participants and not owners:
        raise RuntimeError("There should be at least one active recovery member to issue recovery shares")
    if threshold == 0:
        raise RuntimeError("Recovery threshold should be set before recovery shares are computed")
    if participants and threshold > len(participants):
        raise RuntimeError(
            f"Recovery threshold {threshold} should be equal to or less than the number of active recovery members "
            f"{len(participants)}"
        )
    if not participants and threshold > 1:
        raise RuntimeError(
            f"Recovery threshold {threshold} cannot be greater than 1 when the consortium consists of only active "
            f"recovery owner members ({len(owners)})"
        )
    secret, shares = split(threshold, max(len(participants), 1))
    encrypted = {
        member: _b64(_to_member(pem, share.serialise()))
        for (member, pem), share in zip(participants.items(), shares, strict=False)
    }
    encrypted |= {member: _b64(_to_member(pem, secret.serialise())) for member, pem in owners.items()}
    # The wrapping key wraps once in its life, so the nonce may be zero.
    wrapped = _seal(secret.wrapping_key(), ledger_secret, bytes(_NONCE))
    write_json(tx, RECOVERY_SHARES, {"encrypted_shares": encrypted, "wrapped_latest_ledger_secret": _b64(wrapped)})


def _to_member(public_key: str, plain: bytes) -> bytes:
    key = serialization.load_pem_public_key(public_key.encode())
    if not isinstance(key, RSAPublicKey):
        raise RuntimeError("a member's encryption key is not RSA")
    return key.encrypt(plain, _OAEP)


def _seal(key: bytes, plain: bytes, nonce: bytes | None = None) -> bytes:
    """tag(16) nonce(12) ciphertext, as CCF lays out its GCM ciphers."""
    nonce = os.urandom(_NONCE) if nonce is None else nonce
    sealed = AESGCM(key).encrypt(nonce, plain, None)
    return sealed[-_TAG:] + nonce + sealed[:-_TAG]


def _unseal(key: bytes, sealed: bytes) -> bytes:
    tag, nonce, cipher = sealed[:_TAG], sealed[_TAG : _TAG + _NONCE], sealed[_TAG + _NONCE :]
    return AESGCM(key).decrypt(nonce, cipher + tag, None)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _json(raw: bytes) -> Any:
    return json.loads(raw)
