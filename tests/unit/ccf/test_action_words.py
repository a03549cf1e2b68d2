from __future__ import annotations

import pytest

from ccf_operator.ccf import governance
from ccf_operator.ccf.action_words import explain, key_in
from ccf_operator.ccf.identity import key_fingerprint
from ccf_operator.ccf.messages import Action
from members import generate_operator_member

A, B = (generate_operator_member(name).certificate_pem for name in "ab")
NAMES = {"ab" * 32: "bank-0"}


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (governance.remove_node("ab" * 32), "remove node bank-0 (abababab…) from the service, for good"),
        (governance.remove_node("cd" * 32), "cdcdcdcd…, which nobody here knows"),
        (governance.transition_node_to_trusted("ab" * 32, "now"), "trust node bank-0"),
        (governance.transition_node_to_trusted("ab" * 32, "now"), "with a certificate valid from now"),
        (governance.transition_node_to_trusted("ab" * 32, "now", 1), "with a certificate valid from now for 1 day"),
        (governance.set_recovery_threshold(3), "let 3 recovery shares suffice"),
        (governance.set_member(A, "key"), "with a recovery share"),
        (governance.trigger_ledger_rekey(), "new secret"),
        (governance.set_js_app({"endpoints": {"/x": {}}}, {"x.js": ""}), "1 module and 1 endpoint"),
        (governance.set_all_nodes_certificate_validity("260101", 30), "from 260101 for 30 days"),
        (governance.set_service_certificate_validity("260102030405Z", 9), "from 2026-01-02 03:04:05 UTC for 9 days"),
        ({"name": "something_new", "args": {"x": 1}}, 'something_new {"x": 1}'),
        ({"name": "remove_node", "args": {"wrong": 1}}, 'remove_node {"wrong": 1}'),
        ({"name": "remove_node", "args": "text"}, 'remove_node "text"'),
    ],
)
def test_actions_in_words(action: Action, said: str) -> None:
    assert said in explain(action, NAMES)


def nested(depth: int) -> list[object]:
    """Lists in lists."""
    made: list[object] = []
    for _ in range(depth):
        made = [made]
    return made


@pytest.mark.parametrize(
    "action",
    [
        {"name": "remove_node", "args": {"node_id": nested(5000)}},
        {"name": "something_new", "args": nested(5000)},
        {"name": "set_recovery_threshold", "args": {"recovery_threshold": float("inf")}},
        {"name": "set_member", "args": {"cert": "no certificate"}},
    ],
    ids=lambda action: action["name"],
)
def test_whatever_a_member_has_signed_can_be_told(action: Action) -> None:
    assert explain(action, {}).startswith(action["name"])


def test_an_opening_names_the_keys() -> None:
    said = explain(governance.transition_service_to_open(A, B), {})
    assert key_fingerprint(A)[:8] in said
    assert key_fingerprint(B)[:8] in said


@pytest.mark.parametrize("named", [None, "", "no certificate", 7, nested(5000), {"PEM": A}])
def test_what_is_no_certificate_has_no_key(named: object) -> None:
    assert key_in(named) is None
