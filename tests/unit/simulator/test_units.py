from __future__ import annotations

import pytest

from simulator.units import seconds, size


@pytest.mark.parametrize(
    ("text", "expected"), [("7", 7), ("2B", 2), ("3KB", 3072), ("5MB", 5 * 1024**2), ("10GB", 10 * 1024**3)]
)
def test_sizes_are_1024_based(text: str, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("1000", 0.001), ("10us", 1e-5), ("100ms", 0.1), ("5s", 5), ("30min", 1800), ("2h", 7200)]
)
def test_a_bare_number_of_time_is_microseconds(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "s", "-1s", "1.5s", "1 day", "5XB"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        seconds(text)
    with pytest.raises(ValueError, match="is not"):
        size(text)
