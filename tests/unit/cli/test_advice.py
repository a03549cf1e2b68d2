from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ccf_operator.api.governance_status import GovernanceStatus, MembersStatus, ProposalStatus, SharesStatus
from ccf_operator.api.operator_member_status import AwaitedProposal, OperatorMemberStatus
from ccf_operator.api.status import Silence
from ccf_operator.cli.advice import MEMBERS, Advice, about_silent_machines, advise
from ccf_operator.cli.network import Network
from ccf_operator.domain.members_words import Plugin, to_open, to_submit
from unit.cli import phases
from unit.cli.phases import scene
from unit.cli.test_docs import parse

OPENING = ProposalStatus(
    id="ab" * 32, state="Open", actions=[], opens=True, proposer="alice", ballots=["alice"], missing=["bob"]
)
STUCK = OPENING.model_copy(update={"missing": []})
PEOPLE = MembersStatus(active=2, total=3, not_active=["carol"], recovery=["alice", "bob"])
KNOWN = GovernanceStatus(service="1" * 64, recovery_threshold=2, members=PEOPLE, open_proposals=1, proposals=[OPENING])


def advised(governance: GovernanceStatus | None, *, reason: str = "") -> Advice:
    """Before the opening; with a reason, after a recovery."""
    network = scene(phases.awaiting_members() if reason else phases.awaiting_open()).network
    status = network.status.model_copy(update={"governance": governance})
    return advise(replace(network, status=status.model_copy(update={"reason": reason or status.reason})))


def test_members_vote_for_what_the_operator_has_proposed_about_nodes() -> None:
    network = scene(phases.degraded()).network
    waits = AwaitedProposal(id="cd" * 32, what=["remove node bank-1"], ballots=0)
    own = OperatorMemberStatus(member_id="0e", usable=True, proposal=waits)
    asked = {"operator_member": own, "next_step": "members: vote for proposal cdcd"}
    found = advise(replace(network, status=network.status.model_copy(update=asked)))
    assert found.who == MEMBERS
    assert [command for command, _ in found.commands] == ["kubectl ccf vote bank cdcdcdcd yes"]


def test_members_are_named_once_it_is_known_who_has_done_what() -> None:
    found = advised(KNOWN)
    assert found.who == MEMBERS
    assert found.commands == (
        ("kubectl ccf ack bank", "carol, once"),
        ("kubectl ccf open bank", "bob: a vote for proposal abababab…"),
    )


def test_who_is_active_is_not_asked_to_become_so() -> None:
    all_active = KNOWN.model_copy(update={"members": PEOPLE.model_copy(update={"not_active": []}), "proposals": []})
    assert advised(all_active).commands == (("kubectl ccf open bank", "members, until it is open"),)


def test_nobody_is_named_where_nothing_is_known() -> None:
    assert [note for _, note in advised(None).commands] == ["every member, once", "members, until it is open"]
    assert advised(None, reason="RecoveryShares").commands[0][1] == "recovery members, up to the threshold"


def test_after_a_recovery_those_are_named_whose_votes_and_shares_are_missing() -> None:
    assert advised(KNOWN, reason="AcceptService").commands[0][1] == "bob: a vote for proposal abababab…"
    shares = SharesStatus(submitted=1, threshold=2, reported_by=["alice"])
    reported = KNOWN.model_copy(update={"shares": shares})
    assert advised(reported, reason="RecoveryShares").commands == (("kubectl ccf submit-share bank", "bob"),)


@pytest.mark.parametrize(
    "governance", [None, KNOWN, *(KNOWN.model_copy(update={"proposals": p}) for p in ([], [STUCK]))]
)
def test_the_commands_that_the_status_tells_are_commands(
    governance: GovernanceStatus | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("CERT", "KEY", "ENC_KEY"):
        monkeypatch.setenv(f"CCF_MEMBER_{variable}", "file.pem")
    plugin = Plugin("bank", "prod")
    told = f"{to_open(plugin, governance, 'IDENTITY')}; {to_submit(plugin, governance)}"
    commands = re.findall(r"kubectl ccf ([^,;()]*)", told)
    assert len(commands) >= 2
    for command in commands:
        parse(command.strip())


def test_a_machine_that_is_ready_and_runs_its_node_is_not_offered_to_be_given_up() -> None:
    network = scene(phases.suspected()).network
    status = network.status
    assert len(about_silent_machines(network, [])) == 2

    def with_machines(ready: bool | None) -> Network:
        known = Silence(since=status.nodes[0].planned_at, machine_ready=ready)
        nodes = [record.model_copy(update={"silence": known}) for record in status.nodes]
        return replace(network, status=status.model_copy(update={"nodes": nodes}))

    assert about_silent_machines(with_machines(True), []) == ()
    assert len(about_silent_machines(with_machines(False), [])) == 2
    assert len(about_silent_machines(with_machines(None), [])) == 2
    cut_off = status.model_copy(update={"reason": "OperatorIsolated"})
    assert about_silent_machines(replace(network, status=cut_off), []) == ()
