"""What clients are told of the service, as the ConfigMap that they mount has it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class IdentityView:
    """`fingerprint`: the service's public key; `recovery_count`: CCF's count of recoveries of it."""

    fingerprint: str | None
    recovery_count: int
    create_tx_id: str | None = None
