from __future__ import annotations

from ccf_operator.api.status import (
    AttemptResult,
    AttemptSummary,
    CandidateResult,
    Command,
    NetworkStatus,
    Phase,
    QuorumStatus,
    Timeline,
    Verdict,
)
from e2e.demo.news import News, Tone, tell
from unit.demo.statuses import NOON, attempt, candidate, killed, node, winner

NOTHING = NetworkStatus()


def test_the_same_status_again_is_no_news() -> None:
    status = NetworkStatus(
        phase=Phase.RECOVERING,
        nodes=[node("bank-0", ended=killed())],
        attempt=attempt(candidate("ledger-0", node="bank-3")),
        quorum=QuorumStatus(verdict=Verdict.LOST),
        next_step="do something",
    )
    assert tell(status, status) == []


def test_nodes_start_join_and_end() -> None:
    planned = NetworkStatus(nodes=[node("bank-0", Command.START)])
    joined = NetworkStatus(nodes=[node("bank-0", Command.START, joined_at=NOON)])
    ended = NetworkStatus(nodes=[node("bank-0", Command.START, joined_at=NOON, ended=killed())])
    assert tell(NOTHING, planned) == [News("starts bank-0 (Start), volume ledger-bank-0")]
    assert tell(planned, joined) == [News("bank-0 is part of the service", Tone.GOOD)]
    assert tell(joined, ended) == [News("bank-0 has ended: ContainerTerminated, exit code 137", Tone.BAD)]


def test_a_node_that_was_told_to_stop_is_no_bad_news() -> None:
    stopping = NetworkStatus(nodes=[node("bank-1", stop="Loser")])
    ended = NetworkStatus(nodes=[node("bank-1", stop="Loser", ended=killed())])
    assert tell(stopping, ended) == [News("bank-1 has ended, as it was told to (Loser)")]


def test_a_node_stopped_after_its_end_was_not_told_to() -> None:
    running = NetworkStatus(nodes=[node("bank-1")])
    ended = NetworkStatus(nodes=[node("bank-1", stop="Fenced", ended=killed())])
    assert [news.tone for news in tell(running, ended)] == [Tone.BAD]


def test_verdicts_come_with_their_reason() -> None:
    lost = NetworkStatus(quorum=QuorumStatus(verdict=Verdict.LOST, message="two have ended"))
    assert tell(NOTHING, lost) == [News("verdict Lost: two have ended", Tone.BAD)]
    assert tell(lost, NOTHING) == []


def test_an_attempt_begins_with_its_proof() -> None:
    told = tell(NOTHING, NetworkStatus(attempt=attempt(candidate("ledger-0"))))
    assert "attempt 1 begins, on this proof:" in [news.text for news in told]
    assert "  bank-0: ended" in [news.text for news in told]


def test_results_of_candidates_come_one_by_one() -> None:
    begun = NetworkStatus(attempt=attempt(candidate("ledger-0"), candidate("ledger-1")))
    one = NetworkStatus(
        attempt=attempt(
            candidate("ledger-0", node="bank-3", result=CandidateResult.RECOVERED, tx_id="2.31"),
            candidate("ledger-1", node="bank-4"),
        )
    )
    two = NetworkStatus(
        attempt=attempt(
            candidate("ledger-0", node="bank-3", result=CandidateResult.RECOVERED, tx_id="2.31"),
            candidate("ledger-1", node="bank-4", result=CandidateResult.DAMAGED, detail="a chunk is cut"),
        )
    )
    assert tell(begun, one) == [
        News("ledger-0 is fenced; its candidate is bank-3"),
        News("ledger-0: Recovered 2.31", Tone.GOOD),
        News("ledger-1 is fenced; its candidate is bank-4"),
    ]
    assert tell(one, two) == [News("ledger-1: Damaged: a chunk is cut", Tone.BAD)]


def test_the_winner_is_told_once() -> None:
    recovered = candidate("ledger-0", node="bank-3", result=CandidateResult.RECOVERED, tx_id="2.31")
    before = NetworkStatus(attempt=attempt(recovered))
    after = NetworkStatus(attempt=attempt(recovered, winner=winner("ledger-0", "bank-3", "2.31")))
    assert tell(before, after) == [News("the winner is bank-3 with 2.31, from ledger-0", Tone.GOOD)]
    gone = after.model_copy(deep=True)
    assert gone.attempt is not None
    gone.attempt.timeline = Timeline(losers_gone_at=NOON)
    assert [news.text for news in tell(after, gone)] == [
        "every other candidate has provably ended: one service is left to vote on"
    ]


def test_a_second_attempt_is_told_from_its_beginning() -> None:
    first = NetworkStatus(attempt=attempt(candidate("ledger-0", node="bank-3")))
    second = first.model_copy(deep=True)
    assert second.attempt is not None
    second.attempt.number = 2
    told = [news.text for news in tell(first, second)]
    assert "attempt 2 begins, on this proof:" in told
    assert "ledger-0 is fenced; its candidate is bank-3" in told


def test_ends_of_attempts_are_told_oldest_first() -> None:
    def summary(number: int, result: AttemptResult) -> AttemptSummary:
        return AttemptSummary(number=number, result=result, message="why", ended_at=NOON)

    history = [summary(2, AttemptResult.SUCCEEDED), summary(1, AttemptResult.SUPERSEDED)]
    assert tell(NOTHING, NetworkStatus(history=history)) == [
        News("attempt 1 Superseded: why", Tone.BAD),
        News("attempt 2 Succeeded: why", Tone.GOOD),
    ]


def test_what_is_asked_of_people_is_told_when_it_changes() -> None:
    asking = NetworkStatus(phase=Phase.CREATING, next_step="members: vote")
    assert tell(NOTHING, asking) == [News("members: vote", Tone.ASK)]
    assert tell(asking, NOTHING) == []


def test_phases_are_told_with_their_message() -> None:
    assert tell(NOTHING, NetworkStatus(phase=Phase.RUNNING, message="the service is open")) == [
        News("phase Running: the service is open", Tone.GOOD)
    ]
