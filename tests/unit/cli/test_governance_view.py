from __future__ import annotations

import pytest

from ccf_operator.cli.governance_view import count_active


@pytest.mark.parametrize(
    ("threshold", "said"),
    [
        (None, "2 of 3 are active"),
        (1, "2 of 3 are active; 1 recovery share is needed"),
        (2, "2 of 3 are active; 2 recovery shares are needed"),
    ],
)
def test_how_many_members_and_shares(threshold: int | None, said: str) -> None:
    assert count_active(2, 3, threshold) == said
