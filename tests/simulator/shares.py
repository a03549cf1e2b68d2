"""Recovery shares: the wrapped ledger secret, split among the recovery members (CCF facts §6.6, §8.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.gov_types import LedgerSecrets
from simulator.kv import Tx, Writes


class EncryptedSecretsHistory:
    """Collects what was ever written to the table of encrypted past ledger secrets, entry by entry.

    A node feeds it every applied entry in order (`observe`) and every rollback; recovery walks it backwards.
    """

    def observe(self, seqno: int, writes: Writes) -> None:
        """Note the entry at `seqno` (entries without that table are fine)."""
        raise NotImplementedError

    def rollback(self, seqno: int) -> None:
        """Forget entries after `seqno`."""
        raise NotImplementedError

    def values(self) -> tuple[Mapping[str, Any], ...]:
        """Oldest first; `next_version` is always present (the seqno of the entry + 1 where CCF left it out)."""
        raise NotImplementedError


def issue_recovery_shares(tx: Tx, secrets: LedgerSecrets, *, new_secret: bytes | None = None) -> None:
    """Write shares of the latest of `secrets` (of `new_secret` at a rekey) for the active recovery members, and the
    secret before it encrypted with it. Raises RuntimeError if threshold and members do not allow it."""
    raise NotImplementedError


def shuffle_recovery_shares(tx: Tx, secrets: LedgerSecrets) -> None:
    """New shares of the same, latest, ledger secret."""
    raise NotImplementedError


def restore_ledger_secrets(tx: Tx, secrets: LedgerSecrets, history: tuple[Mapping[str, Any], ...]) -> dict[int, bytes]:
    """Combine the shares submitted so far and decrypt every ledger secret of the past services.

    `secrets` are those of the present service (submitted shares are encrypted with its latest). Raises RuntimeError
    if the shares are too few or wrong, or a ledger secret does not decrypt."""
    raise NotImplementedError
