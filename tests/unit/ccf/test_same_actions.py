from __future__ import annotations

from typing import Any

from ccf_operator.ccf.governance import (
    remove_node,
    set_node_certificate_validity,
    transition_node_to_trusted,
    transition_service_to_open,
    trigger_snapshot,
)
from ccf_operator.ccf.same_actions import same


def test_order_and_the_time_of_signing_make_no_other_proposal() -> None:
    today = [remove_node("a"), transition_node_to_trusted("b", "260101000000Z")]
    tomorrow = [transition_node_to_trusted("b", "260102000000Z"), remove_node("a")]
    assert same(today, tomorrow)


def test_for_how_long_a_node_is_trusted_does() -> None:
    always, for_a_day = transition_node_to_trusted("b", "260101000000Z"), transition_node_to_trusted("b", "now", 1)
    assert not same([always], [for_a_day])


def test_another_node_or_action_does() -> None:
    assert not same([remove_node("a")], [remove_node("b")])
    assert not same([remove_node("a")], [remove_node("a"), remove_node("b")])
    trusted, renewed = transition_node_to_trusted("a", "now"), set_node_certificate_validity("a", "now")
    assert not same([trusted], [renewed])


def test_a_renewal_for_another_time_is_another() -> None:
    assert not same([set_node_certificate_validity("a", "now", 30)], [set_node_certificate_validity("a", "now", 90)])


def test_a_line_break_at_the_end_of_a_certificate_is_none_of_its_text() -> None:
    assert same([transition_service_to_open("PEM\n", "OLD")], [transition_service_to_open("PEM", "OLD\n")])
    assert not same([transition_service_to_open("PEM", "OLD")], [transition_service_to_open("PEM")])


def test_actions_without_arguments_are_compared_by_name() -> None:
    assert same([trigger_snapshot()], [{"name": "trigger_snapshot"}])
    assert not same([trigger_snapshot()], [{"name": "trigger_ledger_chunk"}])
    assert same([], [])


def test_arguments_of_any_shape_are_compared_or_differ() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert not same([{"name": "remove_node", "args": deep}], [remove_node("a")])
    assert not same([{"name": "remove_node", "args": {"node_id": deep}}], [remove_node("a")])
    assert not same([{"name": "remove_node", "args": "a"}], [remove_node("a")])
    assert not same([{"name": None, "args": None}], [remove_node("a")])
