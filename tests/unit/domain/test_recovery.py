from __future__ import annotations

from dataclasses import replace
from typing import Any

from ccf_operator.api.status import Attempt, AttemptPhase, CandidateResult
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.decide import decide
from ccf_operator.domain.fencing import do_without_the_silent
from unit.domain.given import (
    START,
    answers,
    attempt,
    candidate,
    config,
    configuration,
    draft,
    end,
    node_id,
    observation,
    record,
    status,
)
from unit.domain.world import World


def unfenced(name: str) -> Attempt:
    found = attempt(candidate(name))
    found.timeline.proven_at = START
    found.candidates[0].node = found.candidates[0].generation = found.candidates[0].result = None
    return found


def half_way() -> World:
    """All nodes have ended, and the candidates are planned but do not run yet."""
    world = World().running()
    world.kill(*world.living())
    for _ in range(10):
        attempt = world.status.attempt
        if attempt is not None and all(candidate.node is not None for candidate in attempt.candidates):
            return world
        world.step()
    raise AssertionError(world.status.message)


def test_what_is_recovered_from_another_claim_of_the_name_is_no_result() -> None:
    """A pod takes whichever claim bears the name by the time it is placed."""
    world = half_way()
    attempt = world.status.attempt
    assert attempt is not None
    volume = attempt.candidates[0].volume
    other = replace(world.claims[volume], uid="another")
    del world.claims[volume]
    world.claims[volume] = other
    world.settle()
    assert world.status.attempt is not None
    assert world.status.attempt.phase is not AttemptPhase.FENCING
    found = next(c for c in world.status.attempt.candidates if c.volume == volume)
    assert (found.result, found.tx_id) == (CandidateResult.UNREACHABLE, None)
    assert (found.detail or "").startswith("another claim of its name is there")


# Who runs is heard before anything begins

AWAITED = NodeAnswers(awaited=True)
TOLD = NodeAnswers(reached=True, node_id=node_id("c"), awaited=True)


def begins(said: NodeAnswers | None, **of: Any) -> bool:
    """Whether an attempt begins where two of three nodes have ended, and this is what the third says."""
    known = status(*(record(n, ended=end()) for n in "ab"), record("c", **of))
    known.configuration = configuration("a", "b", "c")
    answers_of = {"c": said} if said is not None else {}
    return decide(observation(known, answers=answers_of)).status.attempt is not None


def test_an_attempt_begins_only_when_who_runs_has_had_its_full_time_to_contradict() -> None:
    assert not begins(AWAITED)
    assert not begins(TOLD), "it has not said who leads"
    assert begins(replace(AWAITED, awaited=False)), "it is silent"
    assert begins(None), "there is nobody to ask"
    assert begins(replace(answers("c", configs=[config("a", "b", "c")]), awaited=True)), "it has said all that matters"
    assert begins(AWAITED, ended=end()), "it has ended"


def test_a_volume_is_not_done_without_whose_node_may_yet_be_heard() -> None:
    running = record("s", volume="v-s")
    of = unfenced("s")
    for said, result in ((AWAITED, None), (replace(AWAITED, awaited=False), CandidateResult.UNREACHABLE)):
        work = draft(status(running, attempt=of.model_copy(deep=True)), after=10, answers={"s": said})
        assert work.status.attempt is not None
        do_without_the_silent(work, work.status.attempt)
        assert work.status.attempt.candidates[0].result is result
