from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from ccf_operator.api.status import Phase
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
    assert max(map(cell_len, text.splitlines())) <= width
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
        "volumes found": Phase.BLOCKED,
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
