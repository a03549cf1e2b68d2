from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ccf_operator.cli.words import grouped, lineage, shorten, since, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"),
        (-3, "0.0s"),
        (2.44, "2.4s"),
        (9.99, "10.0s"),
        (59.4, "59s"),
        (59.7, "1m00s"),
        (3599.7, "1h00m"),
        (65, "1m05s"),
        (3 * 3600 + 65, "3h01m"),
        (3 * 86400, "3d"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text


def test_ages_are_whole() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert since(now - timedelta(seconds=4.2), now) == "4s"
    assert since(None, now) == ""


def test_fingerprints_are_whole_where_they_are_compared_and_short_elsewhere() -> None:
    digest = "0123456789abcdef" * 4
    assert grouped(digest).replace(" ", "").replace("\n", "") == digest
    assert max(map(len, grouped(digest).splitlines())) < 40
    assert shorten(f"node {digest}\n  is  new") == "node 01234567… is new"


def test_lineages() -> None:
    assert (lineage([0, 1]), lineage([])) == ("0+1", "–")
