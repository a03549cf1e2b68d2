"""What a decision asks for."""

from __future__ import annotations

from dataclasses import dataclass

from ccf_operator.api.status import NetworkStatus
from ccf_operator.domain.effects import Effect


@dataclass(frozen=True)
class Plan:
    """What should be true of the status, and what to do once it is written.

    No effect may be done before `status` has been written; each may be done any number of times.
    """

    status: NetworkStatus
    effects: tuple[Effect, ...] = ()
    wake_after: float = 5.0
    """Seconds until the next look, if no event comes first."""
