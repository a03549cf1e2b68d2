from __future__ import annotations

from ccf_operator.api.status import CandidateResult, Command, NetworkStatus
from e2e.demo.board import candidates, draw
from unit.demo.statuses import NOON, attempt, candidate, killed, node, winner


def test_nodes_are_shown_until_there_are_candidates() -> None:
    status = NetworkStatus(
        nodes=[
            node("bank-0", Command.START, pod_uid="u", joined_at=NOON, fit=True),
            node("bank-1", pod_uid="u", joined_at=NOON),
            node("bank-2", pod_uid="u"),
            node("bank-3"),
            node("bank-4", pod_uid="u", stop="Fenced"),
            node("bank-5", ended=killed()),
        ]
    )
    assert [(row[0], row[-1]) for row in draw(status).rows] == [
        ("bank-0", "serving"),
        ("bank-1", "joined"),
        ("bank-2", "starting"),
        ("bank-3", "planned"),
        ("bank-4", "being stopped"),
    ]
    assert draw(status).unfinished == "bank-2 starting, bank-3 planned, bank-4 being stopped"


def test_candidates_are_shown_until_one_is_chosen() -> None:
    found = [
        candidate("ledger-0", node="bank-3", result=CandidateResult.RECOVERED, tx_id="2.31", stage="Done"),
        candidate("ledger-1", node="bank-4", stage="Reading", progress=17),
        candidate("ledger-2"),
    ]
    status = NetworkStatus(nodes=[node("bank-3", Command.RECOVER)], attempt=attempt(*found))
    assert draw(status).rows == (
        ("ledger-0", "bank-3", "2.31", "Recovered"),
        ("ledger-1", "bank-4", "–", "Reading 17"),
        ("ledger-2", "–", "–", "Fencing"),
    )
    assert draw(status).unfinished == "ledger-1 Reading 17, ledger-2 Fencing"


def test_the_winner_is_marked_and_nodes_are_shown_again() -> None:
    found = [candidate(f"ledger-{n}", result=CandidateResult.RECOVERED, tx_id=f"2.{n}") for n in (1, 2)]
    chosen = attempt(*found, winner=winner("ledger-2", "bank-4", "2.2"))
    assert [row[-1] for row in candidates(chosen).rows] == ["Recovered", "winner"]
    status = NetworkStatus(nodes=[node("bank-5")], attempt=chosen)
    assert [row[0] for row in draw(status).rows] == ["bank-5"]


def test_nothing_is_unfinished_where_all_have_joined() -> None:
    assert draw(NetworkStatus(nodes=[node("bank-0", joined_at=NOON)])).unfinished == ""
