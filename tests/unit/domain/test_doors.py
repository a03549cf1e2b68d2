"""Where a person must act there is a door: the status names it, and it opens."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from ccf_operator.api.decision import Action, CCFRecoveryDecisionSpec
from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.api.status import Command
from ccf_operator.domain.decide import decide
from ccf_operator.domain.effects import AnswerDecision
from ccf_operator.domain.observation import DecisionView, Observation, OperatorView
from ccf_operator.domain.reasons import MEANINGS, Health, Reason
from unit.domain.given import NEW, end, ended_container, observation, pod, record, service, status
from unit.domain.test_two_services import both, seen_both
from unit.domain.world import World


def suspected() -> Observation:
    world = World().running()
    return silent(world, *world.serving()[:2])


def suspected_before_it_was_open() -> Observation:
    world = World()
    world.settle()
    return silent(world, *world.living()[:2])


def silent(world: World, *pods: str) -> Observation:
    world.silence(*pods)
    world.settle()
    world.now += timedelta(minutes=2)
    world.settle()
    return world.observe()


def lost(world: World) -> World:
    world.kill(*world.living())
    world.settle()
    return world


def asked() -> World:
    return lost(World().running())


def cut_off() -> Observation:
    seen = suspected()
    return replace(seen, operator=OperatorView(pods=6, networks=2, unreached_since=seen.now - timedelta(minutes=2)))


def no_primary() -> Observation:
    world = asked()
    return silent(world, *world.living())


def names_taken() -> Observation:
    return observation(status(service=service(opened_at=None, public_key=None)), name_taken=("Service bank",))


def volumes_found() -> Observation:
    world = World().running()
    world.delete()
    world.create_again()
    world.settle()
    return world.observe()


def status_outdated() -> Observation:
    world = World().running()
    before = world.status
    world.kill(*world.living())
    world.settle()
    world.accept()
    world.settle()
    world.kill(*world.living())
    world.history.put_back_this(before)
    world.settle()
    return world.observe()


def start_failed() -> Observation:
    failed = record("a", command=Command.START, ended=end())
    unborn = status(failed, service=service(opened_at=None, public_key=None))
    return observation(unborn, pods={"a": pod("a", ccf=ended_container())})


def lost_before_it_was_open() -> Observation:
    world = World()
    world.settle()
    return lost(world).observe()


def disabled() -> Observation:
    return lost(World(recovery={"mode": "Disabled"}).running()).observe()


def awaiting_approval() -> World:
    world = World().running()
    for name in sorted(world.claims)[1:]:
        del world.claims[name]
    return lost(world)


def something_may_be_missing() -> Observation:
    return awaiting_approval().observe()


def paused() -> Observation:
    world = awaiting_approval()
    assert world.status.attempt is not None
    world.decide(Action.ABORT, world.status.attempt.token)
    world.settle()
    return world.observe()


def nothing_recovered() -> Observation:
    world = World().running()
    world.claims.clear()
    return lost(world).observe()


def volumes_taken() -> Observation:
    world = World().running()
    world.history.delete_claims(*world.claims, retained=False)
    return lost(world).observe()


def may_have_opened() -> Observation:
    world = asked()
    for name in world.living():
        world.claims.pop(world.pods[name].volume, None)
    return lost(world).observe()


def two_services() -> Observation:
    return seen_both(decide(seen_both(both())).status, after=11)


def doubted() -> Observation:
    offered = {"key": NEW, "status": "Recovering", "state": "PartOfPublicNetwork", "recovery_count": 1}
    return seen_both(both(accepted=False), old=False, new=offered)


PLACES: dict[Callable[[], Observation], tuple[Reason, set[Action]]] = {
    suspected: (Reason.QUORUM_SUSPECTED, {Action.START}),
    cut_off: (Reason.OPERATOR_ISOLATED, set()),
    suspected_before_it_was_open: (Reason.QUORUM_SUSPECTED, set()),
    no_primary: (Reason.NO_PRIMARY, set()),
    names_taken: (Reason.NAME_TAKEN, set()),
    volumes_found: (Reason.VOLUMES_FOUND, {Action.ADOPT, Action.DISOWN}),
    status_outdated: (Reason.STATUS_OUTDATED, {Action.ADOPT, Action.DISOWN}),
    start_failed: (Reason.START_FAILED, set()),
    lost_before_it_was_open: (Reason.LOST_BEFORE_OPEN, set()),
    disabled: (Reason.RECOVERY_DISABLED, {Action.START}),
    paused: (Reason.RECOVERY_PAUSED, {Action.RESUME}),
    volumes_taken: (Reason.VOLUMES_TAKEN, set()),
    nothing_recovered: (Reason.NOTHING_RECOVERED, {Action.ABORT}),
    something_may_be_missing: (Reason.APPROVAL_REQUIRED, {Action.APPROVE}),
    may_have_opened: (Reason.MAY_HAVE_OPENED, {Action.APPROVE}),
    doubted: (Reason.LOSS_DOUBTED, {Action.ABORT}),
    two_services: (Reason.TWO_SERVICES, {Action.APPROVE, Action.ABORT}),
}
"""How each state comes about, and what can be decided there."""
WORDS_ONLY = {Reason.NAME_TAKEN}
"""Where no command can be named, for only people know what they want of somebody else's objects."""


def decisions_in(text: str) -> Iterator[CCFRecoveryDecisionSpec]:
    for made in re.findall(r"echo '(\{.*?\})' \| kubectl -n default create -f -", text):
        yield CCFRecoveryDecisionSpec.model_validate(json.loads(made)["spec"])


def test_every_state_in_which_a_person_must_act_is_looked_at_here() -> None:
    looked_at = {reason for reason, _ in PLACES.values()}
    assert {meaning.reason for meaning in MEANINGS if meaning.health is Health.PERSON} <= looked_at


@pytest.mark.parametrize("place", PLACES)
def test_the_door_is_named_and_opens(place: Callable[[], Observation]) -> None:
    reason, actions = PLACES[place]
    seen = place()
    told = decide(seen).status
    assert told.reason == reason, (told.phase, told.reason, told.message)
    assert "kubectl" in told.next_step or reason in WORDS_ONLY
    decisions = list(decisions_in(told.next_step))
    assert {spec.action for spec in decisions} == actions
    for spec in decisions:
        made = DecisionView("word", "uid-word", seen.now, spec)
        answers = [e for e in decide(replace(seen, decisions=(made,))).effects if isinstance(e, AnswerDecision)]
        assert [answer.state.value for answer in answers] == ["Applied"], (spec.action, answers)
    for pods in re.findall(r"delete pod ((?:[a-z0-9-]+ ?)+)", told.next_step):
        assert set(pods.split()) <= set(seen.pods)
    for patch in re.findall(r"--type merge (-p '.*?')", told.next_step):
        changed = json.loads(shlex.split(patch)[1])["spec"]
        CCFNetworkSpec.model_validate({**seen.spec.model_dump(by_alias=True), **changed})
