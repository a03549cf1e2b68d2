"""The certificate of before the last recovery, and how long clients are told to trust it."""

from __future__ import annotations

from datetime import timedelta

from ccf_operator.api.spec import seconds
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.service import ServiceView


def keep_previous(draft: Draft, view: ServiceView) -> None:
    """Persist the certificate of the service before, as the primary of the open one tells it, where none is known."""
    service, leader = draft.status.service, view.leader
    if service.opened_at is None or service.previous_certificate is not None or leader is None:
        return
    if view.key == service.public_key and leader.network is not None and leader.network.recovery_count > 0:
        service.previous_certificate = leader.previous_identity


def keep_overlap(draft: Draft) -> None:
    """Persist whether the overlap that the spec sets is over; without one, it lasts until the next recovery."""
    service, overlap = draft.status.service, draft.seen.spec.service_identity.overlap
    if service.previous_certificate is None or service.opened_at is None or overlap is None:
        service.overlap_ended = False
    else:
        service.overlap_ended = draft.now - service.opened_at >= timedelta(seconds=seconds(overlap))
