from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ccf_operator.api.status import PendingEvent
from ccf_operator.domain.pending_events import FORGOTTEN_AFTER, KEPT, new_event, publication, still_pending

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def events(*reasons: str) -> list[PendingEvent]:
    made: list[PendingEvent] = []
    for reason in reasons:
        made.append(new_event(made, reason, "", NOW, warning=False))
    return made


def test_events_of_one_look_keep_their_order_and_are_told_apart() -> None:
    told = events("Lost", "Lost", "Started")
    assert sorted(event.at for event in told) == [event.at for event in told]
    assert len({publication(event) for event in told}) == 3


def test_an_event_read_back_from_the_api_server_is_the_one_that_was_published() -> None:
    [event] = events("Lost")
    stored = PendingEvent.model_validate_json(event.model_dump_json(by_alias=True))
    assert publication(stored) == publication(event)


def test_what_is_published_is_dropped_and_the_rest_is_kept() -> None:
    lost, started = events("Lost", "Started")
    assert still_pending([lost, started], frozenset({publication(lost)}), NOW) == [started]


def test_what_cannot_be_published_is_given_up_in_the_end() -> None:
    told = events("Lost")
    assert still_pending(told, frozenset(), NOW + FORGOTTEN_AFTER - timedelta(seconds=1)) == told
    assert still_pending(told, frozenset(), NOW + FORGOTTEN_AFTER + timedelta(seconds=1)) == []


def test_of_too_many_the_newest_are_kept() -> None:
    told = events(*map(str, range(KEPT + 5)))
    assert still_pending(told, frozenset(), NOW) == told[5:]
