"""How long clients are told to trust the certificate of before the last recovery."""

from __future__ import annotations

from datetime import timedelta

from ccf_operator.api.spec import seconds
from ccf_operator.domain.draft import Draft


def keep_overlap(draft: Draft) -> None:
    """Persist whether the overlap that the spec sets is over; without one, it lasts until the next recovery."""
    service, overlap = draft.status.service, draft.seen.spec.service_identity.overlap
    if service.previous_certificate is None or service.opened_at is None or overlap is None:
        service.overlap_ended = False
    else:
        service.overlap_ended = draft.now - service.opened_at >= timedelta(seconds=seconds(overlap))
