from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ccf_operator.ccf.governance_answers import MemberAnswer, ProposalAnswer
from ccf_operator.ccf.governance_reading import ask_governance
from unit.ccf.recorded_node import RECORDINGS, Answer, from_table, serve

VERSION = "?api-version=2024-07-01"
RECORDED = {a["path"]: a["answer"]["body"] for a in RECORDINGS if a["method"] == "GET" and "body" in a["answer"]}
ALICE, BOB, CAROL = ("a" * 64, "b" * 64, "c" * 64)
OPENING = {"name": "transition_service_to_open", "args": {"next_service_identity": "PEM"}}


def member(identity: str, **changed: Any) -> dict[str, Any]:
    return {"memberId": identity, "status": "Active", "certificate": "PEM", "memberData": None, **changed}


def proposal(identity: str, state: str, ballots: int) -> dict[str, Any]:
    return {"proposalId": identity, "proposerId": ALICE, "proposalState": state, "ballotCount": ballots}


def table(proposals: list[dict[str, Any]], **others: Any) -> dict[str, Answer | None]:
    answers = {
        "/gov/service/info": {"status": "Opening", "configuration": {"recoveryThreshold": 2}},
        "/gov/service/members": {"value": [member(one) for one in (ALICE, BOB, CAROL)]},
        "/gov/members/proposals": {"value": proposals},
        **others,
    }
    return {path + VERSION: (200, json.dumps(body).encode()) for path, body in answers.items()}


async def test_a_recorded_service_is_understood(tmp_path: Path) -> None:
    wanted = ("/gov/service/info", "/gov/service/members", "/gov/members/proposals")
    recorded: dict[str, Answer | None] = {
        path + VERSION: (200, json.dumps(RECORDED[path + VERSION]).encode()) for path in wanted
    }
    async with serve(tmp_path, from_table(recorded)) as served:
        said = await ask_governance("127.0.0.1", served.port, expected_node_id=served.node_id, timeout=20)
    assert said.problem == ""
    assert (said.service_status, said.recovery_threshold) == ("Open", 1)
    assert [(m.status, m.recovers, m.recovery_role) for m in said.members] == [("Active", True, "Participant")] * 3
    assert all(m.certificate.startswith("-----BEGIN CERTIFICATE") for m in said.members)
    assert said.proposals == (), "the one that was recorded had been accepted"
    assert served.connections == 1


async def test_open_proposals_come_with_their_actions_and_with_who_has_voted(tmp_path: Path) -> None:
    answers = table(
        [proposal("1" * 64, "Accepted", 3), proposal("2" * 64, "Open", 1)],
        **{f"/gov/members/proposals/{'2' * 64}/actions": {"actions": [OPENING]}},
    )
    answers[f"/gov/members/proposals/{'2' * 64}/ballots/{BOB}{VERSION}"] = (200, b"export function vote () {}")
    async with serve(tmp_path, from_table(answers)) as served:
        said = await ask_governance("127.0.0.1", served.port, expected_node_id=served.node_id, timeout=20)
    assert (said.problem, said.service_status) == ("", "Opening")
    assert said.proposals == (ProposalAnswer("2" * 64, ALICE, "Open", frozenset({BOB}), (OPENING,)),)
    assert CAROL.encode() not in served.received, "all ballots were found before"


async def test_a_member_without_an_encryption_key_takes_no_part_in_recoveries(tmp_path: Path) -> None:
    data = {"is_operator": True}
    listed = {"value": [member(ALICE, status="Accepted", memberData=data, recoveryRole="NonParticipant")]}
    async with serve(tmp_path, from_table(table([], **{"/gov/service/members": listed}))) as served:
        said = await ask_governance("127.0.0.1", served.port, expected_node_id=served.node_id, timeout=20)
    assert said.members == (MemberAnswer(ALICE, "Accepted", "PEM", False, "NonParticipant", data),)


async def test_the_status_is_that_of_after_all_else_was_read(tmp_path: Path) -> None:
    answers = table([proposal("2" * 64, "Open", 0)], **{f"/gov/members/proposals/{'2' * 64}/actions": {"actions": []}})
    async with serve(tmp_path, from_table(answers)) as served:
        await ask_governance("127.0.0.1", served.port, expected_node_id=served.node_id, timeout=20)
    asked = re.findall(rb"GET (\S+)\?", bytes(served.received))
    assert asked[-1] == b"/gov/service/info"


async def test_what_was_read_before_a_hang_is_kept(tmp_path: Path) -> None:
    answers = table([]) | {f"/gov/members/proposals{VERSION}": None}
    async with serve(tmp_path, from_table(answers)) as served:
        said = await ask_governance("127.0.0.1", served.port, expected_node_id=served.node_id, timeout=2)
    assert len(said.members) == 3
    assert "2 s" in said.problem


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/gov/service/members", (404, b'{"error":{"code":"FrontendNotOpen"}}')),
        ("/gov/service/members", (200, b'{"value":[{"memberId":7}]}')),
        ("/gov/service/info", (200, b"<html>")),
        ("/gov/members/proposals", (200, b'{"value":{}}')),
    ],
)
async def test_an_answer_of_another_shape_is_a_problem(tmp_path: Path, path: str, answer: Answer) -> None:
    async with serve(tmp_path, from_table(table([]) | {path + VERSION: answer})) as served:
        said = await ask_governance("127.0.0.1", served.port, expected_node_id=served.node_id, timeout=20)
    assert said.problem


async def test_an_impostor_is_sent_nothing(tmp_path: Path) -> None:
    async with serve(tmp_path, from_table(table([]))) as served:
        said = await ask_governance("127.0.0.1", served.port, expected_node_id="ab" * 32)
        assert "expected node abababab" in said.problem
        assert served.received == b""
