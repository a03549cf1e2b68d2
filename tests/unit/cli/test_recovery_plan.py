from __future__ import annotations

from dataclasses import replace

import pytest

from ccf_operator.api.decision import Action, CCFRecoveryDecisionSpec
from ccf_operator.api.status import CandidateResult
from ccf_operator.cli import decisions
from ccf_operator.cli.advice import NOBODY, advise
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.network import Network
from ccf_operator.cli.recovery_plan import RecoveryPlan, plan, render, what_a_start_does
from ccf_operator.cli.screen import screen
from ccf_operator.cli.terminal import plain
from ccf_operator.domain.decide import decide
from ccf_operator.domain.doors import decide_by
from ccf_operator.domain.effects import AnswerDecision
from ccf_operator.domain.observation import DecisionView
from ccf_operator.render import labels
from unit.cli import phases
from unit.cli.phases import SCENES, Scene, scene
from unit.domain.given import UID, at
from unit.domain.test_two_services import both, both_lost, seen_both
from unit.domain.world import World


def commands(made: RecoveryPlan) -> list[str]:
    return [command for command, _ in made.choices]


@pytest.mark.parametrize("name", SCENES)
def test_there_is_a_plan_in_every_phase_and_it_fits(name: str) -> None:
    assert max(map(len, rendered(scene(SCENES[name]())).splitlines())) <= 80


def test_where_approval_is_awaited_the_loss_is_shown_and_every_way_on() -> None:
    seen = scene(phases.awaiting_approval())
    attempt = seen.network.status.attempt
    assert attempt is not None
    made = plan(seen.network, ["--context", "prod"])
    assert list(made.possible_loss) == attempt.possible_loss
    assert attempt.possible_loss
    assert commands(made) == [
        "kubectl ccf recovery approve bank --context prod",
        "kubectl ccf recovery abort bank --context prod",
    ]


def test_in_mode_manual_nothing_is_missing_and_others_can_be_pinned() -> None:
    world = World(recovery={"mode": "Manual"}).running()
    world.kill(*world.living())
    world.settle()
    made = plan(scene(world).network)
    assert made.possible_loss == ()
    assert sum("recovery pin bank bank-ledger" in command for command in commands(made)) == 2


def test_nothing_is_said_to_be_there_before_all_candidates_have_a_result() -> None:
    seen = scene(phases.recovering())
    attempt = seen.network.status.attempt
    assert attempt is not None
    attempt.candidates[0].result, attempt.candidates[0].tx_id = CandidateResult.RECOVERED, "2.1204"
    assert "✓ nothing that was committed" not in rendered(seen)
    assert "✓ nothing that was committed" in rendered(scene(phases.awaiting_members()))


def rendered(seen: Scene) -> str:
    out = plain(80)
    with out.capture() as captured:
        out.print(render(seen.network, plan(seen.network), seen.now))
    return captured.get()


def test_in_peace_there_is_nothing_to_do() -> None:
    for name in ("running", "degraded", "awaiting open"):
        made = plan(scene(SCENES[name]()).network)
        assert (made.now.startswith("Nothing"), made.choices) == (True, ())


def test_silence_proves_nothing() -> None:
    assert "silence proves nothing" in plan(scene(phases.suspected()).network).now


def test_after_an_abort_one_can_resume_and_where_volumes_were_found_adopt_or_disown() -> None:
    assert commands(plan(scene(phases.paused()).network)) == ["kubectl ccf recovery resume bank"]
    assert commands(plan(scene(phases.volumes_found()).network)) == [
        "kubectl ccf recovery adopt bank",
        "kubectl ccf recovery disown bank",
    ]


def test_of_several_services_one_is_named() -> None:
    network = scene(phases.volumes_found()).network
    assert network.status.found is not None
    network.status.found.to_choose_from = ["v-0", "v-1"]
    assert commands(plan(network)) == [
        "kubectl ccf recovery adopt --volume v-0 bank",
        "kubectl ccf recovery adopt --volume v-1 bank",
        "kubectl ccf recovery disown bank",
    ]


def test_while_volumes_are_read_one_is_told_to_wait() -> None:
    world = phases.volumes_being_read()
    seen = scene(world)
    made = plan(seen.network)
    assert made.choices == ()
    assert "Wait until all is read (1 of 3 volumes so far)" in made.now
    for made_by in (decisions.adoption, lambda network, *_: decisions.disowning(network, None)):
        with pytest.raises(Failure) as raised:
            made_by(seen.network, None, None)
        assert raised.value.code is Exit.NOT_NOW
        assert raised.value.do.startswith("Wait")
    advice = advise(seen.network)
    assert (advice.who, advice.commands) == (NOBODY, ())
    assert advice.what.startswith("Wait")


def test_a_recovery_that_was_started_can_be_called_off_until_nodes_are_ended() -> None:
    world = phases.ending()
    made = plan(scene(world).network)
    assert "drill of March" in made.why[0]
    assert commands(made) == ["kubectl ccf recovery abort bank"]
    assert applied(world, decisions.abortion(scene(world).network, None)) == "Applied"
    assert world.deleted_running == []
    late = phases.ending()
    late.step()
    assert late.deleted_running
    assert plan(scene(late).network).choices == ()
    with pytest.raises(Failure) as raised:
        decisions.abortion(scene(late).network, None)
    assert raised.value.code is Exit.NOT_NOW


def test_a_recovery_can_be_started_of_a_service_that_runs_hangs_or_is_lost_in_mode_disabled() -> None:
    disabled = World(recovery={"mode": "Disabled"}).running()
    disabled.kill(*disabled.living())
    disabled.settle()
    for world in (phases.running(), phases.suspected(), disabled):
        assert applied(world, decisions.starting(scene(world).network, "drill")) == "Applied"
    assert "kubectl ccf recovery start bank" in commands(plan(scene(phases.suspected()).network))


def test_it_is_shown_whose_word_an_attempt_began_by() -> None:
    world = phases.ending()
    world.settle()
    seen = scene(world)
    out = plain(80)
    with out.capture() as captured:
        out.print(screen(seen.network, seen.live, seen.now))
    assert "started by decision-0: drill of March" in captured.get()


def test_where_two_services_have_come_up_both_ways_are_shown_and_can_be_decided() -> None:
    asked = decide(seen_both(both())).status
    network = Network("bank", "default", UID, {}, asked)
    made = plan(network)
    assert commands(made) == ["kubectl ccf recovery approve bank", "kubectl ccf recovery abort bank"]
    assert made.possible_loss
    for decision in (decisions.approval(network, None), decisions.abortion(network, None)):
        made_by = DecisionView(
            "word",
            "uid-word",
            at(11),
            CCFRecoveryDecisionSpec(network="bank", token=decision.token, action=decision.action),
        )
        effects = decide(replace(seen_both(asked, after=11), decisions=(made_by,))).effects
        assert [e.state.value for e in effects if isinstance(e, AnswerDecision)] == ["Applied"]


def test_where_both_have_been_lost_since_the_same_ways_are_shown() -> None:
    made = plan(Network("bank", "default", UID, {}, both_lost("2.9999").status))
    assert commands(made) == ["kubectl ccf recovery approve bank", "kubectl ccf recovery abort bank"]
    assert "2.9999" in made.possible_loss[0]


@pytest.mark.parametrize("name", ["awaiting open", "recovering", "awaiting members", "ending"])
def test_no_recovery_is_started_beside_another_nor_of_what_was_never_open(name: str) -> None:
    with pytest.raises(Failure) as raised:
        decisions.starting(scene(SCENES[name]()).network, None)
    assert raised.value.code is Exit.NOT_NOW


def test_what_a_start_does_is_shown_and_fits() -> None:
    seen = scene(phases.running())
    out = plain(80)
    with out.capture() as captured:
        out.print(what_a_start_does(seen.network))
    shown = captured.get()
    assert all(name in shown for name in seen.network.pods)
    assert max(map(len, shown.splitlines())) <= 80


def applied(world: World, decision: decisions.Decision) -> str:
    """What the operator makes of a decision that is made as its manifest says."""
    spec = CCFRecoveryDecisionSpec.model_validate(decisions.manifest(scene(world).network, decision)["spec"])
    name = world.decide(spec.action, spec.token, volume=spec.volume, reason=spec.reason)
    world.settle()
    return world.answer(name)


def test_the_operator_applies_what_is_decided() -> None:
    world = phases.awaiting_approval()
    assert applied(world, decisions.approval(scene(world).network, "gone")) == "Applied"
    world = phases.recovering()
    attempt = scene(world).network.status.attempt
    assert attempt is not None
    volume = attempt.candidates[0].volume
    assert applied(world, decisions.about_volume(scene(world).network, Action.PIN, volume, None)) == "Applied"
    world = phases.paused()
    assert applied(world, decisions.resumption(scene(world).network, None)) == "Applied"
    world = phases.volumes_found()
    assert applied(world, decisions.disowning(scene(world).network, None)) == "Applied"


def refused(make: object, seen: Scene, *arguments: object) -> Exit:
    assert callable(make)
    with pytest.raises(Failure) as failure:
        make(seen.network, *arguments)
    return failure.value.code


def test_what_cannot_be_decided_now_says_so() -> None:
    seen = scene(phases.running())
    assert refused(decisions.approval, seen, None) is Exit.NOT_NOW
    assert refused(decisions.abortion, seen, None) is Exit.NOT_NOW
    assert refused(decisions.resumption, seen, None) is Exit.NOT_NOW
    assert refused(decisions.adoption, seen, None, None) is Exit.NOT_NOW
    assert refused(decisions.about_volume, scene(phases.recovering()), Action.PIN, "other", None) is Exit.NOT_FOUND


def test_the_object_is_the_one_that_the_operator_tells_people_to_write() -> None:
    world = phases.awaiting_approval()
    network = scene(world).network
    made = decisions.manifest(network, decisions.approval(network, None))
    told = decide_by(world.observe(), Action.APPROVE, made["spec"]["token"])
    made["metadata"].pop("namespace")
    assert str(made).replace("'", '"') in told
    assert made["kind"] == labels.DECISION_KIND
