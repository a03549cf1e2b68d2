from __future__ import annotations

import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from ccf_operator.api.status import Condition, NetworkStatus, Phase
from ccf_operator.cli.output import Fitted
from ccf_operator.cli.screen import screen
from ccf_operator.cli.terminal import plain
from unit.cli import phases
from unit.cli.phases import SCENES, Scene, scene


def shown(seen: Scene, width: int = 80, *flags: str) -> str:
    out = plain(width)
    with out.capture() as captured:
        out.print(screen(seen.network, seen.live, seen.now, flags), crop=False)
    return captured.get()


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("name", SCENES)
def test_every_phase_fits_and_is_plain_text_outside_a_terminal(name: str, width: int) -> None:
    text = shown(scene(SCENES[name]()), width)
    assert max(cell_len(line) for line in text.splitlines() if "kubectl taint" not in line) <= width
    assert "\x1b" not in text


@pytest.mark.parametrize("name", SCENES)
def test_phase_reason_message_and_node_names_are_whole(name: str) -> None:
    seen = scene(SCENES[name]())
    status = seen.network.status
    text = shown(seen)
    assert status.phase.value in text
    words = " ".join(text.split())
    for record in status.nodes:
        if record.ended is None:
            assert record.name in words
    for volume in status.volumes:
        assert volume.name in words


def test_names_that_do_not_fit_lose_the_networks_name_alike() -> None:
    seen = scene(phases.awaiting_members())
    long = "payments-settlement-production-eu-west-1"
    raw = seen.network.status.model_dump_json(by_alias=True)
    status = NetworkStatus.model_validate_json(
        re.sub(r'"m(\d)"', r'"ip-10-42-117-\1.eu-west-1.compute.internal"', raw.replace("bank-", f"{long}-"))
    )
    named = Scene(replace(seen.network, name=long, status=status), {}, seen.now)
    narrow, wide = shown(named, 80), shown(named, 200)
    for volume in status.volumes:
        assert re.search(rf"^ +★? +…{volume.name.removeprefix(long)}  Recovered", narrow, re.MULTILINE)
        assert volume.name in wide
    assert re.search(r"…-0f1e2-\d  .*ip-10-42-117-0\.…", narrow)
    assert "…-0f1e2" not in wide


def test_an_ended_node_is_shown_as_long_as_it_is_counted_on() -> None:
    assert "ended (137)" in shown(scene(phases.degraded()))
    recovering = shown(scene(phases.awaiting_members()))
    assert "ended (137)" not in recovering
    assert "5 earlier nodes have ended" in recovering


def test_steps_are_not_broken_apart() -> None:
    text = shown(scene(phases.awaiting_members()))
    assert re.search(r"recovered \+[\d.]+s", text)
    assert re.search(r"losers gone \+[\d.]+s", text)


def test_on_call_is_given_the_word_to_say_of_each_silent_machine() -> None:
    seen = scene(phases.suspected())
    answering = {name for name, answers in seen.live.items() if answers.reached}
    silent = [r.machine.name for r in seen.network.status.nodes if r.machine and r.name not in answering]
    text = shown(seen, 160, "--context", "prod")
    assert len(silent) == 2
    for machine in silent:
        taint = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
        assert f"kubectl taint node {machine} {taint} --context prod  only if {machine} is off for good" in text
    assert text.count("kubectl taint") == 2


def test_nobody_is_given_a_word_to_say_of_machines_that_are_ready_and_run_their_nodes() -> None:
    text = shown(scene(phases.not_answering()), 160)
    assert "kubectl taint" not in text
    assert "runs and does not answer at" in text
    assert "look at the network between the operator and the nodes first" in text.replace("Look", "look")


def test_a_screen_that_is_too_low_says_that_there_is_more() -> None:
    seen = scene(phases.awaiting_members())
    whole = shown(seen).rstrip().splitlines()
    low = plain(80)
    low.height = 12
    with low.capture() as captured:
        low.print(Fitted(screen(seen.network, seen.live, seen.now)))
    lines = captured.get().rstrip().splitlines()
    assert [line.rstrip() for line in lines[:11]] == [line.rstrip() for line in whole[:11]]
    assert len(lines) == 12
    assert re.search(r"\d+ more lines", lines[-1])


def test_the_scenes_are_what_they_are_called() -> None:
    found = {name: make().status.phase for name, make in SCENES.items()}
    assert found == {
        "creating": Phase.CREATING,
        "awaiting open": Phase.AWAITING_OPEN,
        "running": Phase.RUNNING,
        "degraded": Phase.DEGRADED,
        "suspected": Phase.DEGRADED,
        "recovering": Phase.RECOVERING,
        "awaiting members": Phase.AWAITING_MEMBERS,
        "awaiting approval": Phase.BLOCKED,
        "recovered": Phase.RUNNING,
        "paused": Phase.BLOCKED,
        "ending": Phase.RECOVERING,
        "volumes found": Phase.BLOCKED,
        "volumes being read": Phase.BLOCKED,
    }


def test_the_primary_commits_and_lags_are_the_nodes_own_words() -> None:
    seen = scene(phases.running())
    text = shown(seen)
    assert text.count("primary") == 1
    assert text.count("backup") == 2
    commit = next(iter(seen.live.values())).commit
    assert text.count(f"{commit}  0") == 3


def test_a_node_that_is_silent_is_said_to_be() -> None:
    lines = [line.split() for line in shown(scene(phases.suspected())).splitlines()]
    assert sum(line[2:4] == ["no", "answer"] for line in lines) == 2


def test_without_asking_nodes_there_are_no_commits_but_all_that_the_operator_knows() -> None:
    seen = scene(phases.running())
    text = shown(Scene(seen.network, {}, seen.now))
    assert text.count("serving") == 3
    assert "primary" not in text


def test_members_are_told_the_command_with_the_flags_that_find_the_network() -> None:
    text = shown(scene(phases.awaiting_members()), 160, "--namespace", "consortium")
    assert "the members" in text
    assert "kubectl ccf open bank --namespace consortium" in text


def test_commands_are_whole_however_long_the_flags_are() -> None:
    flags = ("--namespace", "x" * 63, "--context", "y" * 40)
    lines = [line.strip() for line in shown(scene(phases.awaiting_members()), 80, *flags).splitlines()]
    assert f"kubectl ccf open bank {' '.join(flags)}" in lines


def test_on_call_is_told_how_to_go_on_where_approval_is_awaited() -> None:
    text = shown(scene(phases.awaiting_approval()))
    assert "whoever is on call" in text
    assert "kubectl ccf recovery plan bank" in text
    assert "may be missing" in text


def test_candidates_show_txids_and_the_winner() -> None:
    seen = scene(phases.awaiting_members())
    attempt = seen.network.status.attempt
    assert attempt is not None
    assert attempt.winner is not None
    lines = shown(seen).splitlines()
    [chosen] = [line for line in lines if "★" in line]
    assert attempt.winner.volume in chosen
    assert attempt.winner.tx_id in chosen
    assert attempt.winner.public_key in shown(seen)


def test_history_says_how_long_it_took_and_how_it_ended() -> None:
    text = shown(scene(phases.recovered()))
    assert re.search(r"1\s+Succeeded\s+2\.\d+\s+\d+", text)


def test_a_pod_that_nobody_of_ours_made_stands_out() -> None:
    text = shown(scene(phases.running(), "bank-fork"))
    assert re.search(r"bank-fork.*not the operator's", " ".join(text.split()))
    assert "bank-fork: find out who made it; members sign nothing for it" in text


@pytest.mark.parametrize("status", ["True", "False", "Unknown"])
def test_how_the_operators_own_member_stands_is_shown_where_there_is_one(status: str) -> None:
    seen = scene(phases.running())
    assert "operator's member" not in shown(seen)
    said = Condition(
        type="OperatorMemberUsable",
        status=status,
        reason="SecretMissing",
        message="Secret bank-operator does not exist",
        last_transition_time=seen.now,
    )
    of = seen.network.status.model_copy(update={"conditions": [*seen.network.status.conditions, said]})
    text = shown(Scene(replace(seen.network, status=of), {}, seen.now))
    assert "operator's member: Secret bank-operator does not exist" in text
