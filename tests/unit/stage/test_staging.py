from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from ccf_operator.ccf.survey import survey
from ccf_operator.stage.report import Outcome
from ccf_operator.stage.staging import stage
from unit.stage.volumes import fingerprints, plan, put_ledger, silent

TAILS = ["damaged/intact", "damaged/tail-truncated", "damaged/committed-chunk-bits-flipped", "divergent/n1"]


@pytest.mark.parametrize("command", ["Start", "Join"])
def test_a_fresh_volume_gets_an_empty_generation(tmp_path: Path, command: str) -> None:
    (tmp_path / "lost+found").mkdir()
    report = stage(tmp_path, plan(0, command), silent)
    assert (report.outcome, report.survey) == (Outcome.STAGED, None)
    assert fingerprints(tmp_path / "gen-0").keys() == {"manifest.json", "ledger", "snapshots"}


def test_the_manifest_keeps_the_whole_plan(tmp_path: Path) -> None:
    asked = plan(0, "Join", serviceCertificate="PEM", recoveryCount=2, configuration=["ab"])
    stage(tmp_path, asked, silent)
    manifest = json.loads((tmp_path / "gen-0" / "manifest.json").read_text())
    assert manifest.pop("claimedAt")
    assert manifest == asked.recorded


def test_everything_is_for_the_owner_alone(tmp_path: Path) -> None:
    put_ledger(tmp_path, 0, "damaged/intact")
    stage(tmp_path, plan(1), silent)
    new = tmp_path / "gen-1"
    for path in [new, *new.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("fixture", TAILS)
def test_a_candidate_gets_the_tail_and_the_old_generation_stays_as_it_was(tmp_path: Path, fixture: str) -> None:
    old = put_ledger(tmp_path, 0, fixture)
    (old / "ledger" / "ledger_9.ignored").write_bytes(b"set aside")
    before = fingerprints(old)
    report = stage(tmp_path, plan(1), silent)
    assert report.outcome is Outcome.STAGED
    assert fingerprints(old) == before
    tail = {name: digest for name, digest in before.items() if not name.endswith((".committed", ".ignored"))}
    new = fingerprints(tmp_path / "gen-1" / "ledger")
    assert new == {Path(name).name: digest for name, digest in tail.items() if name.startswith("ledger/")}
    assert report.survey == json.loads(json.dumps({**survey([old / "ledger"]).to_json()}))


def test_the_full_report_stays_in_the_generation(tmp_path: Path) -> None:
    put_ledger(tmp_path, 0, "damaged/tail-truncated")
    report = stage(tmp_path, plan(1), silent)
    assert json.loads((tmp_path / "gen-1" / "survey.json").read_text()) == report.to_json()
    assert report.survey is not None
    assert report.survey["lastSigned"] == "2.167"


def test_what_staging_made_is_as_good_as_what_it_was_made_from(tmp_path: Path) -> None:
    put_ledger(tmp_path, 0, "lagging/n0")
    stage(tmp_path, plan(1), silent)
    ledgers = [tmp_path / f"gen-{n}" / "ledger" for n in (0, 1)]
    assert survey(ledgers) == survey(ledgers[:1])


def test_marks_of_an_unfinished_recovery_are_dropped(tmp_path: Path) -> None:
    old = put_ledger(tmp_path, 0, "damaged/intact")
    (old / "ledger" / "ledger_116-167.committed").rename(old / "ledger" / "ledger_116-167.committed.recovery")
    (old / "ledger" / "ledger_168").rename(old / "ledger" / "ledger_168.recovery")
    report = stage(tmp_path, plan(1), silent)
    assert report.copied == ("ledger_116-167.committed", "ledger_168")
    assert fingerprints(tmp_path / "gen-1" / "ledger").keys() == set(report.copied)
    assert report.survey is not None
    assert (report.survey["lastSigned"], report.survey["sound"]) == ("2.183", True)


def test_only_the_newest_of_several_generations_gives_its_tail(tmp_path: Path) -> None:
    first = put_ledger(tmp_path, 0, "damaged/intact")
    winner = put_ledger(tmp_path, 2, "damaged/intact")
    for committed in (winner / "ledger").glob("*.committed"):
        committed.unlink()
    loser = put_ledger(tmp_path, 1, "divergent/n0")
    (first / "ledger" / "ledger_168").write_bytes(b"an older tail, cut short in place")
    before = {path.name: fingerprints(path) for path in (first, winner, loser)}
    report = stage(tmp_path, plan(3, lineage=[0, 2]), silent)
    assert report.survey is not None
    assert (report.survey["lastSigned"], report.survey["sound"], report.survey["problems"]) == ("2.183", True, [])
    new = tmp_path / "gen-3" / "ledger" / "ledger_168"
    assert new.read_bytes() == (winner / "ledger" / "ledger_168").read_bytes()
    assert {path.name: fingerprints(path) for path in (first, winner, loser)} == before


def test_a_leftover_is_not_copied(tmp_path: Path) -> None:
    old = put_ledger(tmp_path, 0, "damaged/intact")
    (old / "ledger" / "ledger_43").write_bytes(bytes(8))
    report = stage(tmp_path, plan(1), silent)
    assert report.copied == ("ledger_168",)
    assert report.survey is not None
    assert "left over" in report.survey["problems"][0]


def test_a_generation_that_this_very_node_has_claimed_is_refused_and_left_alone(tmp_path: Path) -> None:
    """The kubelet has started its pod anew."""
    put_ledger(tmp_path, 0, "damaged/intact")
    stage(tmp_path, plan(1, plannedAt="2026-01-01T00:00:00Z"), silent)
    before = fingerprints(tmp_path)
    report = stage(tmp_path, plan(1, plannedAt="2026-01-01T00:00:00Z"), silent)
    assert report.outcome is Outcome.CLAIMED
    assert report.error == "gen-1 is claimed by bank-abcde-1"
    assert fingerprints(tmp_path) == before


@pytest.mark.parametrize(
    ("claimed", "planned"),
    [
        ({"generation": 1}, {"generation": 1, "node": "bank-abcde-9"}),
        ({"generation": 1, "plannedAt": "later"}, {"generation": 1, "plannedAt": "before"}),
        ({"generation": 3}, {"generation": 1}),
        ({"generation": 3, "command": "Join"}, {"generation": 1, "command": "Join"}),
        ({"generation": 103}, {"generation": 1}),
    ],
    ids=["by another node", "by another node of its name", "above", "above, by a joiner", "far above"],
)
def test_a_plan_that_is_older_than_the_volume_is_refused(
    tmp_path: Path, claimed: dict[str, Any], planned: dict[str, Any]
) -> None:
    put_ledger(tmp_path, 0, "damaged/intact")
    assert stage(tmp_path, plan(**{"recoveryCount": 4, **claimed}), silent).outcome is Outcome.STAGED
    before = fingerprints(tmp_path)
    report = stage(tmp_path, plan(**planned), silent)
    assert report.outcome is Outcome.OUTDATED
    number = claimed["generation"]
    assert report.claims[0] == {
        "generation": number,
        "node": f"bank-abcde-{number}",
        "command": claimed.get("command", "Recover"),
        "recoveryCount": 4,
    }
    assert report.error == f"the volume is ahead of this plan: gen-{number} is claimed by bank-abcde-{number}"
    assert fingerprints(tmp_path) == before


def test_generations_that_were_left_out_are_no_sign_of_anything(tmp_path: Path) -> None:
    put_ledger(tmp_path, 0, "damaged/intact")
    (tmp_path / "gen-200").mkdir()
    assert stage(tmp_path, plan(101), silent).outcome is Outcome.STAGED


def test_of_many_later_claims_the_newest_are_named(tmp_path: Path) -> None:
    for number in range(1, 13):
        put_ledger(tmp_path, number, "damaged/intact")
    report = stage(tmp_path, plan(0, "Start"), silent)
    assert [it["generation"] for it in report.claims] == [12, 11, 10, 9, 8, 7, 6, 5]


def test_a_generation_with_content_and_no_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gen-0" / "ledger").mkdir(parents=True)
    report = stage(tmp_path, plan(0, "Start"), silent)
    assert report.outcome is Outcome.CLAIMED
    assert fingerprints(tmp_path).keys() == {"gen-0", "gen-0/ledger"}


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_generation_that_is_no_directory_is_refused(tmp_path: Path, kind: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if kind == "file":
        (tmp_path / "gen-0").write_text("")
    else:
        (tmp_path / "gen-0").symlink_to(elsewhere)
    assert stage(tmp_path, plan(0, "Start"), silent).outcome is Outcome.CLAIMED
    assert not any(elsewhere.iterdir())


def test_a_generation_of_the_lineage_that_is_gone(tmp_path: Path) -> None:
    put_ledger(tmp_path, 1, "damaged/intact")
    report = stage(tmp_path, plan(2, lineage=[0, 1]), silent)
    assert report.outcome is Outcome.MISSING
    assert "gen-0/ledger" in str(report.error)


def test_a_wiped_ledger_is_empty(tmp_path: Path) -> None:
    old = put_ledger(tmp_path, 0, "damaged/intact")
    shutil.rmtree(old / "ledger")
    (old / "ledger" / "lost+found").mkdir(parents=True)
    report = stage(tmp_path, plan(1), silent)
    assert (report.outcome, report.survey) == (Outcome.EMPTY, None)


def test_a_volume_of_another_network_is_named(tmp_path: Path) -> None:
    put_ledger(tmp_path, 0, "damaged/intact", uid="another")
    report = stage(tmp_path, plan(1), silent)
    assert report.survey is not None
    assert report.survey["problems"] == ["gen-0: written for the network with UID another"]


def test_a_volume_that_cannot_be_written(tmp_path: Path) -> None:
    report = stage(tmp_path / "absent", plan(0, "Start"), silent)
    assert report.outcome is Outcome.FAILED
    assert "FileNotFoundError" in str(report.error)


class Killed(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("crash", range(40))
def test_killed_at_any_write_a_second_run_changes_nothing_it_may_not(
    tmp_path: Path, crash: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = put_ledger(tmp_path, 0, "damaged/intact")
    before = fingerprints(old)
    calls = 0

    def dying(real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > crash:
                raise Killed
            return real(*arguments, **named)

        return call

    with monkeypatch.context() as dead:
        for name in ("open", "write", "fsync"):
            dead.setattr(os, name, dying(getattr(os, name)))
        try:
            stage(tmp_path, plan(1), silent)
            finished = True
        except Killed:
            finished = False
    after_crash = fingerprints(tmp_path)
    claimed = (tmp_path / "gen-1" / "manifest.json").exists()

    report = stage(tmp_path, plan(1), silent)

    assert fingerprints(old) == before
    if claimed:
        assert report.outcome is Outcome.CLAIMED
        assert fingerprints(tmp_path) == after_crash
    else:
        assert not finished
        assert report.outcome is Outcome.STAGED


def test_the_claim_is_durable_before_anything_else_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_ledger(tmp_path, 0, "damaged/intact")
    synced: list[str] = []
    real_open, real_fsync = os.open, os.fsync

    def fsync(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        synced.append(str(path.relative_to(tmp_path)))
        real_fsync(descriptor)

    def opening(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT and Path(path).name != "manifest.json":
            assert {"gen-1/manifest.json", "gen-1", "."} <= set(synced), path
        return real_open(path, flags, mode)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "open", opening)
    assert stage(tmp_path, plan(1), silent).outcome is Outcome.STAGED
    new = {str(path.relative_to(tmp_path)) for path in (tmp_path / "gen-1").rglob("*")}
    assert new <= set(synced)
