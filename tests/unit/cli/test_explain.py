from __future__ import annotations

import pytest

from ccf_operator.ccf import governance
from ccf_operator.ccf.identity import key_fingerprint
from ccf_operator.ccf.messages import Action
from ccf_operator.cli.explain import explain, opening_problem
from ccf_operator.cli.service import Expected
from members import generate_operator_member

A, B, C = (generate_operator_member(name).certificate_pem for name in "abc")
NAMES = {"ab" * 32: "bank-0"}


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (governance.remove_node("ab" * 32), "remove node bank-0 (abababab…) from the service, for good"),
        (governance.remove_node("cd" * 32), "cdcdcdcd…, which nobody here knows"),
        (governance.transition_node_to_trusted("ab" * 32, "now"), "trust node bank-0"),
        (governance.set_recovery_threshold(3), "let 3 recovery shares suffice"),
        (governance.set_member(A, "key"), "with a recovery share"),
        (governance.trigger_ledger_rekey(), "new secret"),
        (governance.set_js_app({"endpoints": {"/x": {}}}, {"x.js": ""}), "1 module(s) and 1 endpoint(s)"),
        (governance.set_all_nodes_certificate_validity("260101", 30), "from 260101 for 30 days"),
        ({"name": "something_new", "args": {"x": 1}}, 'something_new {"x": 1}'),
        ({"name": "remove_node", "args": {"wrong": 1}}, 'remove_node {"wrong": 1}'),
        ({"name": "remove_node", "args": "text"}, 'remove_node "text"'),
    ],
)
def test_actions_in_words(action: Action, said: str) -> None:
    assert said in explain(action, NAMES)


def test_an_opening_names_the_keys() -> None:
    said = explain(governance.transition_service_to_open(A, B), {})
    assert key_fingerprint(A)[:8] in said
    assert key_fingerprint(B)[:8] in said


def expected(recovered_from: str | None = None) -> Expected:
    return Expected(A, key_fingerprint(A), recovered_from)


def test_the_opening_of_the_offered_service_is_all_right_and_of_another_a_fork() -> None:
    assert opening_problem([governance.transition_service_to_open(A)], expected()) == ""
    assert "fork" in opening_problem([governance.transition_service_to_open(B)], expected())
    assert "fork" in opening_problem([{"name": "transition_service_to_open", "args": None}], expected())
    assert opening_problem([governance.trigger_snapshot()], expected()) == ""


def test_an_opening_after_a_recovery_must_name_the_service_it_goes_on_from() -> None:
    after = expected(key_fingerprint(C))
    assert opening_problem([governance.transition_service_to_open(A, C)], after) == ""
    assert "another service" in opening_problem([governance.transition_service_to_open(A, B)], after)
    assert "another service" in opening_problem([governance.transition_service_to_open(A)], after)


def test_a_fork_is_found_behind_harmless_actions() -> None:
    assert opening_problem([governance.trigger_snapshot(), governance.transition_service_to_open(B)], expected())
