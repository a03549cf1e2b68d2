from __future__ import annotations

from dataclasses import replace

from ccf_operator.api.status import AttemptPhase, CandidateResult
from unit.domain.world import World


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
    assert found.detail == "another claim of its name is there"
