from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.domain.overlap import keep_overlap
from unit.domain.given import at, draft, service, spec, status


def ended(after: float, overlap: str | None, **fields: Any) -> bool:
    recovered = service(**{"previous_certificate": "OLD", "opened_at": at(0), **fields})
    work = draft(status(service=recovered), after=after, spec=spec(serviceIdentity={"overlap": overlap}))
    keep_overlap(work)
    return work.status.service.overlap_ended


@pytest.mark.parametrize(("after", "expected"), [(0, False), (3599, False), (3600, True), (90000, True)])
def test_it_ends_so_long_after_the_recovered_service_was_open(after: float, expected: bool) -> None:
    assert ended(after, "1h") == expected


def test_without_one_it_lasts_until_the_next_recovery() -> None:
    assert not ended(10**7, None)


def test_none_at_all_is_said_by_zero() -> None:
    assert ended(0, "0s")


def test_there_is_nothing_to_end_before_the_first_recovery() -> None:
    assert not ended(10**7, "1h", previous_certificate=None)


def test_a_longer_one_brings_the_certificate_back() -> None:
    assert not ended(3600, "2h", overlap_ended=True)
