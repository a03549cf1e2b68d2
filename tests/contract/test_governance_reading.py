"""What is read of members, proposals and ballots, on a node that really has them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ccf_operator.ccf import governance, parsing
from ccf_operator.ccf.governance_answers import GovernanceAnswers
from ccf_operator.ccf.governance_reading import ask_governance
from contract.recordings import FILE
from contract.sandbox import RunningNode, Sandbox
from members import generate_member, generate_operator_member

ALICE, BOB, CAROL = generate_member("alice"), generate_member("bob"), generate_operator_member("carol")


@pytest_asyncio.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    made = Sandbox(tmp_path, members=[ALICE, BOB, CAROL])
    yield made
    await made.close()


async def said_by(node: RunningNode) -> GovernanceAnswers:
    host, _, port = node.node.address("operator").rpartition(":")
    said = await ask_governance(host, int(port), expected_node_id=node.node.node_id, timeout=10)
    assert said.problem == ""
    return said


async def test_members_proposals_and_ballots_as_they_come_and_go(sandbox: Sandbox) -> None:
    node = await sandbox.start()
    await sandbox.serving(node)
    before = await said_by(node)
    assert (before.service_status, before.recovery_threshold, before.proposals) == ("Opening", 1, ())
    assert {member.member_id: (member.status, member.recovers) for member in before.members} == {
        ALICE.member_id: ("Accepted", True),
        BOB.member_id: ("Accepted", True),
        CAROL.member_id: ("Accepted", False),
    }

    opening = governance.transition_service_to_open(await node.service_certificate())
    async with await sandbox.client(node) as client:
        for member in (ALICE, BOB):
            await client.activate(member)
        made = await client.propose(ALICE, [opening])
        [unvoted] = (await said_by(node)).proposals
        assert (unvoted.proposal_id, unvoted.proposer_id, unvoted.state) == (made.proposal_id, ALICE.member_id, "Open")
        assert (unvoted.ballots, unvoted.actions) == (frozenset(), (opening,))
        await client.vote(BOB, made.proposal_id)
        said = await said_by(node)
        assert [one.ballots for one in said.proposals] == [frozenset({BOB.member_id})]
        assert [m.status for m in said.members if m.member_id != CAROL.member_id] == ["Active", "Active"]
        await client.vote(ALICE, made.proposal_id)
    after = await said_by(node)
    assert (after.service_status, after.proposals) == ("Open", ())


RECORDED = [one for one in json.loads(FILE.read_text()) if one["path"].startswith("/gov/") and one["method"] == "GET"]


@pytest.mark.parametrize(
    ("path", "parse"),
    [
        ("/gov/service/info", parsing.parse_service_info),
        ("/gov/service/members", parsing.parse_members),
        ("/gov/members/proposals", parsing.parse_proposals),
    ],
)
def test_what_real_nodes_answered_parses(path: str, parse: Any) -> None:
    bodies = [one["answer"]["body"] for one in RECORDED if one["path"].partition("?")[0] == path]
    assert bodies
    assert all(parse(body) for body in bodies)
