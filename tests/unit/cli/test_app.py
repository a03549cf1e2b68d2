from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from ccf_operator.ccf.identity import key_fingerprint
from ccf_operator.cli import reference
from ccf_operator.cli.app import run
from ccf_operator.cli.commands import recovery
from ccf_operator.cli.exits import MEANINGS, Exit
from members import generate_member
from unit.cli import phases
from unit.cli.kubectl_stub import Stub, stub
from unit.domain.world import UID, World

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stub:
    (tmp_path / "kubectl").mkdir()
    made = stub(tmp_path / "kubectl")
    monkeypatch.setenv("KUBECTL", made.program)
    monkeypatch.chdir(tmp_path)
    return made


def network(world: World) -> dict[str, Any]:
    status = json.loads(world.status.model_dump_json(by_alias=True, exclude_none=True))
    return {"metadata": {"name": "bank", "namespace": "prod", "uid": UID}, "spec": {}, "status": status}


def test_the_reference_page_is_what_the_commands_say() -> None:
    assert (DOCS / "reference" / "cli.md").read_text() == reference.page(), "run: make docs"


@pytest.mark.parametrize("group", [[], ["recovery"], ["prepare"]])
def test_what_each_command_is_for_is_said_in_a_line(group: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*group, "--help"]) == Exit.DONE
    commands = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
    assert len(commands) >= 8
    assert [line for line in commands if line.endswith("...")] == []


def test_every_exit_code_is_documented() -> None:
    assert set(MEANINGS) == set(Exit)


def test_status_through_a_pipe(kubectl: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    kubectl.put("ccfnetworks", network(phases.running()))
    assert run(["status", "bank", "--offline", "-n", "prod", "--context", "there"]) == Exit.DONE
    said = capsys.readouterr().out
    assert "Running" in said
    assert "\x1b" not in said
    assert max(map(len, said.splitlines())) <= 80
    assert [line for line in said.splitlines() if line != line.rstrip()] == []
    assert kubectl.calls()[0][:4] == ["--context", "there", "--namespace", "prod"]


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_status_for_programs(kubectl: Stub, capsys: pytest.CaptureFixture[str], form: str) -> None:
    raw = network(phases.awaiting_members())
    kubectl.put("ccfnetworks", raw)
    assert run(["status", "bank", "--offline", "-o", form]) == Exit.DONE
    document = yaml.safe_load(capsys.readouterr().out)
    assert (document["network"], document["namespace"], document["nodes"]) == ("bank", "prod", {})
    assert document["status"]["attempt"]["winner"] == raw["status"]["attempt"]["winner"]


@pytest.mark.parametrize(
    ("said", "code", "do"),
    [
        (None, Exit.NOT_FOUND, "--all-namespaces"),
        ('error: the server doesn\'t have a resource type "ccfnetworks"', Exit.CLUSTER, "install the operator's chart"),
        ('error: context "x" does not exist', Exit.CLUSTER, "get-contexts"),
        ("error: stat /none: no such file or directory", Exit.CLUSTER, "give a kubeconfig"),
        ("Error from server (Forbidden): ccfnetworks is forbidden", Exit.CLUSTER, "permission"),
        ("The connection to the server was refused", Exit.CLUSTER, "kubectl get ccf"),
    ],
)
def test_failures_have_an_exit_code_and_say_what_to_do(
    kubectl: Stub, capsys: pytest.CaptureFixture[str], said: str | None, code: Exit, do: str
) -> None:
    if said is not None:
        kubectl.fail(said)
    assert run(["status", "bank"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "what to do:" in captured.err
    assert do in captured.err
    assert "error: error:" not in captured.err


def test_wrong_command_lines(kubectl: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status"]) == Exit.USAGE
    assert run(["nonsense"]) == Exit.USAGE
    assert run(["open", "bank"]) == Exit.USAGE
    assert run(["open", "bank", "--cert", "missing.pem", "--key", "missing.pem"]) == Exit.NOT_FOUND
    alice, bob = generate_member("alice"), generate_member("bob")
    (tmp_path / "cert").write_text(alice.certificate_pem)
    (tmp_path / "key").write_text(bob.key_pem)
    assert run(["open", "bank", "--cert", "cert", "--key", "key"]) == Exit.USAGE
    assert "not the key of" in capsys.readouterr().err


def test_what_is_wrong_with_a_file_is_said_with_what_it_should_be(
    kubectl: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    member = generate_member("alice")
    (tmp_path / "cert").write_text(member.certificate_pem)
    (tmp_path / "key").write_text(member.key_pem)
    signing = ["--cert", "cert", "--key", "key"]
    for command, code, do in (
        (["vote", "bank", "1", "maybe", *signing], Exit.NOT_FOUND, "say yes, no"),
        (["propose", "bank", "missing.json", *signing], Exit.NOT_FOUND, "JSON file"),
        (["propose", "bank", "cert", *signing], Exit.USAGE, '{"actions"'),
        (["open", "bank", "--cert", "key", "--key", "key"], Exit.USAGE, "give the member's certificate"),
        (["submit-share", "bank", *signing], Exit.USAGE, "--enc-key"),
        (["finish", "bank", "missing", "--signature", "missing"], Exit.NOT_FOUND, "prepare"),
        (["finish", "bank", "cert", "--signature", "missing"], Exit.USAGE, "prepare"),
    ):
        assert run(command) == code
        assert do in capsys.readouterr().err


def test_an_empty_share_is_none(kubectl: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    member = generate_member("alice")
    (tmp_path / "cert").write_text(member.certificate_pem)
    (tmp_path / "share").touch()
    said = ["prepare", "submit-share", "bank", "--cert", "cert", "--share", "share", "--out", "submit"]
    assert run(said) == Exit.USAGE
    assert "is empty" in capsys.readouterr().err


def test_kubectls_flags_may_stand_before_the_command(kubectl: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    kubectl.put("ccfnetworks", network(phases.running()))
    assert run(["-n", "prod", "--context=there", "status", "bank", "--offline"]) == Exit.DONE
    assert kubectl.calls()[0][:4] == ["--context", "there", "--namespace", "prod"]
    assert run(["-n"]) == Exit.USAGE


def test_without_kubectl_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("KUBECTL", raising=False)
    assert run(["status", "bank"]) == Exit.CLUSTER
    assert "install kubectl" in capsys.readouterr().err


def test_a_status_of_a_newer_operator_is_not_guessed_at(kubectl: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    raw = network(phases.running())
    raw["status"]["phase"] = "Teleporting"
    kubectl.put("ccfnetworks", raw)
    assert run(["status", "bank"]) == Exit.CLUSTER
    assert "install the version" in capsys.readouterr().err


def test_members_are_not_asked_to_sign_before_there_is_anything_to_sign_for(
    kubectl: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    member = generate_member("alice")
    (tmp_path / "cert").write_text(member.certificate_pem)
    (tmp_path / "key").write_text(member.key_pem)
    kubectl.put("ccfnetworks", network(phases.recovering()))
    for command in (["open", "bank"], ["submit-share", "bank", "--enc-key", "key"]):
        assert run([*command, "--cert", "cert", "--key", "key", "--yes"]) == Exit.NOT_NOW
    kubectl.put("ccfnetworks", network(phases.awaiting_members()))
    assert run(["open", "bank", "--cert", "cert", "--key", "key", "--yes"]) == Exit.UNREACHABLE
    assert capsys.readouterr().out == ""


def test_decisions_are_printed_and_not_written(kubectl: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    world = phases.awaiting_approval()
    kubectl.put("ccfnetworks", network(world))
    assert run(["recovery", "approve", "bank", "--reason", "gone", "--dry-run"]) == Exit.DONE
    made = yaml.safe_load(capsys.readouterr().out)
    assert world.status.attempt is not None
    assert made["spec"]["token"] == world.status.attempt.token
    assert run(["recovery", "approve", "bank"]) == Exit.DECLINED
    assert not [call for call in kubectl.calls() if "create" in call]


def test_a_start_is_printed_in_the_form_that_is_asked_for(kubectl: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    world = phases.running()
    kubectl.put("ccfnetworks", network(world))
    assert run(["recovery", "start", "bank", "--dry-run", "-o", "json"]) == Exit.DONE
    made = json.loads(capsys.readouterr().out)
    assert made["spec"] == {"network": "bank", "token": world.status.recovery_token, "action": "Start"}
    assert run(["recovery", "start", "bank"]) == Exit.DECLINED
    assert "ends " in capsys.readouterr().out
    assert not [call for call in kubectl.calls() if "create" in call]


@pytest.mark.parametrize(
    ("answer", "code", "do"),
    [
        ({"state": "Applied", "message": "so it is"}, Exit.DONE, ""),
        ({"state": "Refused", "message": "too late"}, Exit.REFUSED, "decide anew"),
        ({}, Exit.REFUSED, "do not decide again"),
    ],
)
def test_what_the_operator_makes_of_a_decision(
    kubectl: Stub,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: dict[str, str],
    code: Exit,
    do: str,
) -> None:
    kubectl.put("ccfnetworks", network(phases.awaiting_approval()))
    kubectl.put("ccfrecoverydecisions", {"metadata": {"name": "bank-approve-1"}, "status": answer})
    monkeypatch.setattr(recovery, "ANSWER_TIMEOUT", 1.0 if answer else 0.0)
    assert run(["recovery", "approve", "bank", "--yes", "-o", "json"]) == code
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (told["decision"], told["state"]) == ("bank-approve-1", answer.get("state", "Unanswered"))
    assert "You would decide: Approve" in said.err
    assert do in said.err


def test_history(kubectl: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    kubectl.put("ccfnetworks", network(phases.recovered()))
    assert run(["recovery", "history", "bank"]) == Exit.DONE
    assert run(["recovery", "history", "bank", "1"]) == Exit.DONE
    assert capsys.readouterr().out.count("Succeeded") == 2
    assert run(["recovery", "history", "bank", "9"]) == Exit.NOT_FOUND


def test_the_certificates(kubectl: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    world = phases.running()
    kubectl.put("ccfnetworks", network(world))
    assert run(["cert", "bank"]) == Exit.DONE
    assert capsys.readouterr().out == f"{world.status.service.certificate}\n"
    assert run(["cert", "bank", "--previous"]) == Exit.NOT_NOW
    known = generate_member("service").certificate_pem
    raw = network(world)
    raw["status"]["service"]["certificate"] = known
    kubectl.put("ccfnetworks", raw)
    capsys.readouterr()
    assert run(["cert", "bank", "-o", "json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out) == {
        "network": "bank",
        "certificate": known,
        "key": key_fingerprint(known),
    }
    kubectl.put("ccfnetworks", network(phases.recovered()))
    assert run(["cert", "bank", "--previous"]) == Exit.DONE


def test_a_report_holds_what_is_needed_and_no_secret(kubectl: Stub, tmp_path: Path) -> None:
    world = phases.awaiting_members()
    kubectl.put("ccfnetworks", network(world))
    metadata = {"name": "bank-0f1e2-3", "namespace": "prod", "uid": "u", "managedFields": ["noise"]}
    kubectl.put("pods", {"metadata": metadata, "spec": {}, "status": {"phase": "Failed"}})
    of = '[pod/operator] {{"namespace": "prod", "network": "{0}", "event": "acted for {0}"}}'
    said = [of.format("bank"), of.format("shop"), '{"namespace": null, "network": null, "event": "about none"}']
    said += ["for people attempt=None namespace=prod network=bank", "for people namespace=prod network=shop"]
    kubectl.log("bank-0f1e2-3", "\n".join(["log of bank-0f1e2-3", "password=hunter22", *said, ""]))
    key = generate_member("alice").key_pem
    kubectl.put("configmaps", {"metadata": {"name": "bank-keys"}, "data": {"oops": key}})
    assert run(["report", "bank", "--out", "report.tar.gz"]) == Exit.DONE
    with tarfile.open(tmp_path / "report.tar.gz") as archive:
        texts = {name: text.read().decode() for name in archive.getnames() if (text := archive.extractfile(name))}
    names = {name.partition("/")[2] for name in texts}
    assert {"network.yaml", "events.txt", "status.txt", "nodes.json", "logs/bank-0f1e2-3.ccf.txt"} <= names
    together = "\n".join(texts.values())
    assert "AwaitingMembers" in texts["report/status.txt"]
    assert "log of bank-0f1e2-3" in together
    for line in ("acted for bank", "about none", "network=bank"):
        assert line in texts["report/logs/operator.txt"]
    assert "shop" not in texts["report/logs/operator.txt"]
    for secret in ("PRIVATE KEY", "hunter22", "managedFields"):
        assert secret not in together
    assert not [call for call in kubectl.calls() if "secrets" in call or "secret" in call]
    assert run(["report", "bank", "--out", "report.tar.gz"]) == Exit.USAGE


def test_logs_bear_the_name_of_their_node(kubectl: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    kubectl.put("ccfnetworks", network(phases.running()))
    for name in ("bank-a", "bank-b"):
        kubectl.put("pods", {"metadata": {"name": name, "uid": name}})
    assert run(["logs", "bank"]) == Exit.DONE
    assert {line.partition("  ")[0] for line in capsys.readouterr().out.splitlines()} == {"bank-a", "bank-b"}
    assert run(["logs", "bank", "--node", "bank-c"]) == Exit.NOT_FOUND
    assert "name one of bank-a, bank-b" in capsys.readouterr().err


def test_logs_of_a_network_without_pods(kubectl: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    kubectl.put("ccfnetworks", network(phases.running()))
    assert run(["logs", "bank", "--node", "bank-c"]) == Exit.NOT_FOUND
    assert "kubectl ccf status bank" in capsys.readouterr().err
