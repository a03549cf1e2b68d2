from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from unit.stage.volumes import LEDGERS, fingerprints, plan_json, put_ledger

OPERATOR = Path(__file__).parents[3] / "operator"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ccf_operator.stage", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(OPERATOR)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def stage(tmp_path: Path, plan: object) -> tuple[int, dict[str, object], list[dict[str, object]]]:
    """Exit code, termination message, and what was printed."""
    (tmp_path / "stage.json").write_text(plan if isinstance(plan, str) else json.dumps(plan))
    log = tmp_path / "termination-log"
    ended = run("--plan", tmp_path / "stage.json", "--volume", tmp_path / "volume", "--termination-log", log)
    return ended.returncode, json.loads(log.read_text()), [json.loads(line) for line in ended.stdout.splitlines()]


def test_the_exit_codes_and_what_is_said(tmp_path: Path) -> None:
    put_ledger(tmp_path / "volume", 0, "damaged/intact")
    code, message, printed = stage(tmp_path, plan_json(1))
    assert (code, message["outcome"]) == (0, "Staged")
    assert [line["event"] for line in printed] == ["claimed", *["surveying"] * 4, "ended"]
    assert (printed[-2]["file"], printed[1]["done"]) == ("ledger_168", 0)

    assert stage(tmp_path, plan_json(1))[0] == 3
    assert stage(tmp_path, plan_json(9, lineage=[7]))[0] == 4
    (tmp_path / "volume" / "gen-8" / "ledger").mkdir(parents=True)
    assert stage(tmp_path, plan_json(10, lineage=[8]))[0] == 5


@pytest.mark.parametrize("plan", ["{", {"version": 1}])
def test_a_bad_plan_touches_nothing(tmp_path: Path, plan: object) -> None:
    (tmp_path / "volume").mkdir()
    code, message, _ = stage(tmp_path, plan)
    assert (code, message["outcome"]) == (2, "BadPlan")
    assert "stage.json" in str(message["error"])
    assert not any((tmp_path / "volume").iterdir())


def test_without_a_termination_log_it_still_stages(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "stage.json").write_text(json.dumps(plan_json(0, "Start")))
    ended = run(
        "--plan", tmp_path / "stage.json", "--volume", tmp_path / "volume", "--termination-log", tmp_path / "no" / "log"
    )
    assert ended.returncode == 0
    assert "no-termination-message" in ended.stdout


def test_a_process_killed_in_the_middle_leaves_a_claim(tmp_path: Path) -> None:
    old = put_ledger(tmp_path / "volume", 0, "damaged/intact")
    before = fingerprints(old)
    (tmp_path / "stage.json").write_text(json.dumps(plan_json(1)))
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "ccf_operator.stage",
            "--plan",
            tmp_path / "stage.json",
            "--volume",
            tmp_path / "volume",
        ],
        env={**os.environ, "PYTHONPATH": str(OPERATOR)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"] == "claimed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    code, message, _ = stage(tmp_path, plan_json(1))
    assert (code, message["outcome"]) == (3, "Claimed")
    assert fingerprints(old) == before


def test_a_person_may_survey_a_ledger() -> None:
    sound = run("survey", LEDGERS / "damaged/intact/ledger")
    assert (sound.returncode, json.loads(sound.stdout)["lastSigned"]) == (0, "2.183")
    damaged = run("survey", LEDGERS / "damaged/middle-chunk-missing/ledger")
    assert (damaged.returncode, json.loads(damaged.stdout)["sound"]) == (1, False)
    assert run("survey", LEDGERS / "nowhere").returncode == 1


def test_it_ends_when_told_to_though_process_1_of_a_container_is_deaf_by_default(tmp_path: Path) -> None:
    plan = tmp_path / "stage.json"
    os.mkfifo(plan)
    process = subprocess.Popen(
        [sys.executable, "-m", "ccf_operator.stage", "--plan", str(plan), "--volume", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(OPERATOR)},
        preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    )
    with plan.open("w"):  # opened once the other side reads: it waits for a plan
        process.terminate()
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
