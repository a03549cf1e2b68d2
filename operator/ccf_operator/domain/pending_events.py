"""Events are decided on with the status, and kept in it until they are published.

An operator that is killed in between leaves them to the next one, which publishes them under the same names.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from ccf_operator.api.status import PendingEvent
from ccf_operator.domain.effects import Report

KEPT = 50
"""Events that are kept at most, the newest: where none can be published the status must not grow for ever."""
FORGOTTEN_AFTER = timedelta(hours=1)
"""How old an event is published at most: Kubernetes itself forgets events after an hour."""
LONGEST_MESSAGE = 1000
"""Characters of an event's note; the API takes 1 KiB."""

_STEP = timedelta(milliseconds=1)


def new_event(
    pending: Iterable[PendingEvent], reason: str, message: str, now: datetime, *, warning: bool
) -> PendingEvent:
    """The event, later than all that are pending, so that those of one look keep their order where they are shown."""
    at = now - timedelta(microseconds=now.microsecond % 1000)  # to the precision that the API server stores
    latest = max((event.at for event in pending), default=at - _STEP)
    return PendingEvent(reason=reason, message=message[:LONGEST_MESSAGE], warning=warning, at=max(at, latest + _STEP))


def publication(event: PendingEvent) -> Report:
    """The effect that publishes an event."""
    return Report(reason=event.reason, message=event.message, at=event.at, warning=event.warning)


def still_pending(events: Iterable[PendingEvent], published: frozenset[Report], now: datetime) -> list[PendingEvent]:
    """Events that are yet to be published."""
    return [event for event in events if publication(event) not in published and now - event.at < FORGOTTEN_AFTER][
        -KEPT:
    ]
