from __future__ import annotations

import json
from typing import Any

import pytest

from ccf_operator.stage.plan import BadPlan, parse_plan
from unit.stage.volumes import UID, plan_json


def test_a_plan_of_each_command() -> None:
    recover = parse_plan(json.dumps(plan_json(3, "Recover", [0, 2])))
    assert (recover.generation, recover.lineage, recover.recovers) == (3, (0, 2), True)
    assert (recover.network_uid, recover.volume, recover.node) == (UID, "bank-abcde-0", "bank-abcde-3")
    for command in ("Start", "Join"):
        assert not parse_plan(json.dumps(plan_json(0, command))).recovers


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"version": 2}, "version 2"),
        ({"generation": -1}, "generation"),
        ({"generation": True}, "generation"),
        ({"generation": "1"}, "generation"),
        ({"command": "Restart"}, "none of Start, Join, Recover"),
        ({"command": None}, "command"),
        ({"lineage": []}, "without a lineage"),
        ({"lineage": [1]}, "below generation 1"),
        ({"lineage": [0, 0]}, "not ascending"),
        ({"lineage": ["../../etc"]}, "lineage"),
        ({"lineage": None}, "lineage"),
        ({"command": "Join"}, "Join with a lineage"),
        ({"network": None}, "network"),
        ({"network": {"name": "bank"}}, "uid"),
        ({"node": 7}, "node"),
        ({"volume": None}, "volume"),
    ],
)
def test_a_plan_that_cannot_be_followed(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadPlan, match=complaint):
        parse_plan(json.dumps({**plan_json(1), **change}))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", "[" * 100_000])
def test_what_is_no_plan_at_all(text: str) -> None:
    with pytest.raises(BadPlan):
        parse_plan(text)
