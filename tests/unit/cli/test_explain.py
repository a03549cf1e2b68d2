from __future__ import annotations

from ccf_operator.ccf import governance
from ccf_operator.ccf.identity import key_fingerprint
from ccf_operator.ccf.messages import Action
from ccf_operator.cli.explain import opening_problem, proposal_problem
from ccf_operator.cli.service import Expected
from members import generate_operator_member

A, B, C = (generate_operator_member(name).certificate_pem for name in "abc")


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


def test_a_node_that_is_not_the_operators_is_a_stranger() -> None:
    known, stranger = "a" * 64, "b" * 64

    def problem(*actions: Action) -> str:
        return proposal_problem(actions, expected(), {known})

    trusted = governance.transition_node_to_trusted(known, "230101000000Z")
    assert problem(trusted, governance.remove_node(stranger)) == ""
    found = problem(trusted, governance.transition_node_to_trusted(stranger, "230101000000Z"))
    assert found == "it would let in a node that the operator does not know: bbbbbbbb…"
    assert "does not know" in problem({"name": "transition_node_to_trusted", "args": None})
    assert "fork" in problem(trusted, governance.transition_service_to_open(B))
