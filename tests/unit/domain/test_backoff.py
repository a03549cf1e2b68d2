from datetime import timedelta

import pytest

from ccf_operator.domain.backoff import wait_after


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (8, 300), (10_000_000, 300)]
)
def test_the_wait_doubles_with_each_failure_up_to_the_longest(failures: int, seconds: int) -> None:
    wait = wait_after(failures, first=timedelta(seconds=5), longest=timedelta(minutes=5))
    assert wait == timedelta(seconds=seconds)
