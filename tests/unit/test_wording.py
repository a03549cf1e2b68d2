from __future__ import annotations

from ccf_operator.wording import counted


def test_one_of_a_thing_and_none_and_many() -> None:
    assert [counted(number, "node") for number in (0, 1, 2)] == ["0 nodes", "1 node", "2 nodes"]
