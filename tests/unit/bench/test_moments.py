from __future__ import annotations

from typing import Any

from e2e.bench.moments import Cast, Moment, address, all_gone, shown
from e2e.bench.recorder import Seen

RUNS: dict[str, Any] = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
ENDED: dict[str, Any] = {"terminated": {"exitCode": 137}}
CAST = Cast(killed=frozenset({"a", "b"}), old=frozenset({"a", "b", "c"}), winner="c2")


def pod(at: float, name: str, state: dict[str, Any] | None = None, *, role: str = "node", gone: bool = False) -> Seen:
    statuses = [{"name": "ccf", "state": state}] if state is not None else []
    return Seen(
        at,
        "pods",
        gone,
        {
            "metadata": {"name": name, "labels": {"ccf.dev/role": role}},
            "status": {"podIP": f"10.0.0.{len(name)}", "containerStatuses": statuses},
        },
    )


def candidate(at: float, name: str, state: dict[str, Any] | None = None, *, gone: bool = False) -> Seen:
    return pod(at, name, state, role="candidate", gone=gone)


def test_the_proof_is_there_when_the_last_of_the_killed_is_shown_to_have_ended() -> None:
    events = [pod(1, "a", RUNS), pod(2, "a", ENDED), pod(3, "c", ENDED)]
    assert Moment.PROOF not in shown(events, CAST)
    assert shown([*events, pod(4, "b", ENDED)], CAST)[Moment.PROOF] == 4


def test_volumes_are_fenced_when_all_old_pods_have_ended_or_are_gone() -> None:
    events = [pod(1, "a", ENDED), pod(2, "b", ENDED), pod(3, "b", gone=True), pod(5, "c", RUNS, gone=True)]
    assert shown(events, CAST)[Moment.FENCED] == 5


def test_candidates_are_created_when_the_last_of_them_first_shows() -> None:
    events = [candidate(1, "a2"), candidate(2, "b2"), candidate(3, "a2", RUNS), candidate(4, "c2"), pod(9, "j")]
    found = shown(events, CAST)
    assert (found[Moment.FIRST_CANDIDATE], found[Moment.CANDIDATES]) == (1, 4)


def test_losers_are_all_candidates_but_the_winner() -> None:
    events = [candidate(1, name, RUNS) for name in ("a2", "b2", "c2")]
    assert Moment.LOSERS_GONE not in shown([*events, candidate(2, "a2", ENDED)], CAST)
    ended = [candidate(2, "a2", ENDED), candidate(3, "b2", gone=True)]
    assert shown([*events, *ended], CAST)[Moment.LOSERS_GONE] == 3


def test_a_winner_whose_label_has_changed_is_a_candidate_no_less() -> None:
    events = [candidate(1, "c2"), candidate(2, "a2"), pod(3, "c2", role="winner"), candidate(4, "a2", ENDED)]
    found = shown(events, CAST)
    assert (found[Moment.CANDIDATES], found[Moment.LOSERS_GONE]) == (2, 4)


def test_a_pod_that_ended_is_not_yet_gone() -> None:
    assert all_gone([pod(1, "a", ENDED)], ["a"]) is None
    assert all_gone([pod(1, "a", ENDED), pod(2, "a", gone=True)], ["a"]) is True


def test_a_pod_has_an_address_while_its_process_runs() -> None:
    assert address([pod(1, "a", {"waiting": {}})], "a") is None
    assert address([pod(1, "a", RUNS), pod(2, "bb", ENDED)], "a") == "10.0.0.1"
