from __future__ import annotations

import dataclasses
import json
from typing import Any

import ccf.cose
import pytest

from ccf_operator.ccf import governance as messages
from members import GeneratedMember, generate_member, generate_operator_member
from simulator.gov_tables import MEMBER_ACKS, SERVICE_INFO, SIGNATURES
from simulator.gov_types import Request
from simulator.identity import KeyPair, signing_request
from unit.simulator.single_node import CONSTITUTION, FIXTURES, NOW, SingleNode, body, error

MEMBERS = [generate_member(f"member{i}") for i in range(3)]
OPERATOR = generate_operator_member("operator")
RECORDINGS = json.loads((FIXTURES / "recordings.json").read_text())


@pytest.fixture
def node() -> SingleNode:
    return SingleNode([*MEMBERS, OPERATOR])


@pytest.fixture
def open_node(node: SingleNode) -> SingleNode:
    node.opened(MEMBERS)
    node.activate(OPERATOR)
    return node


def _data(tag: str) -> messages.Action:
    return messages.set_member_data(MEMBERS[0].member_id, {"tag": tag})


def _shape(value: Any) -> Any:
    """Keys and types; ids and numbers of things stand for themselves no more."""
    if isinstance(value, dict):
        return {"<id>" if len(key) == 64 else key: _shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_shape(value[0])] if value else []
    return type(value).__name__


def _recorded(moment: str, path: str) -> list[dict[str, Any]]:
    return [r["answer"] for r in RECORDINGS if r["moment"] == moment and path in r["path"]]


def test_members_become_active_by_acknowledging_the_signed_root(node: SingleNode) -> None:
    update = node.post(messages.state_digest_update(MEMBERS[0], created_at=NOW))
    recorded = next(a for a in _recorded("service Opening", ":update"))
    assert _shape(body(update)) == _shape(recorded["body"])
    assert body(update)["stateDigest"] == node.read(SIGNATURES)["root"]

    stale = node.post(messages.acknowledgement(MEMBERS[0], "00" * 32, created_at=NOW))
    assert error(stale) == (400, "StateDigestMismatch")

    acked = node.post(messages.acknowledgement(MEMBERS[0], body(update)["stateDigest"], created_at=NOW))
    assert (acked.status, acked.body) == (204, b"")
    shown = body(node.get(f"/gov/service/members/{MEMBERS[0].member_id}"))
    assert shown["status"] == "Active"
    assert node.read(MEMBER_ACKS, MEMBERS[0].member_id.encode())["cose_sign1_req"]


def test_a_service_opens_as_recorded(node: SingleNode) -> None:
    node.activate(*MEMBERS)
    action = messages.transition_service_to_open(node.service_certificate)
    created = node.propose(MEMBERS[0], action)
    proposal_id = body(created)["proposalId"]
    answers = [created, *(node.vote(member, proposal_id) for member in MEMBERS[:2])]
    recorded = [*_recorded("service Opening", "proposals:create"), *_recorded("service Opening", ":submit")]
    assert [_shape(body(a)) for a in answers] == [_shape(a["body"]) for a in recorded]
    assert [body(a)["proposalState"] for a in answers] == ["Open", "Open", "Accepted"]
    assert node.read(SERVICE_INFO)["status"] == "Open"
    assert node.triggered == ["snapshot"]


@pytest.mark.parametrize(
    "path",
    ["/gov/service/info", "/gov/service/members", "/gov/members/proposals", "/gov/recovery/encrypted-shares/"],
)
def test_what_anyone_may_read_has_the_recorded_shape(path: str) -> None:
    open_node = SingleNode(MEMBERS)
    open_node.opened(MEMBERS)
    recorded = _recorded("service Open, three nodes", path)[0]
    answer = open_node.get(path + MEMBERS[0].member_id if path.endswith("/") else path)
    assert answer.status == recorded["status"]
    expected, got = recorded["body"], body(answer)
    assert _shape(got) == _shape(expected)


def test_the_default_rule_is_a_strict_majority_of_the_members(open_node: SingleNode) -> None:
    proposal_id = body(open_node.propose(MEMBERS[0], _data("a")))["proposalId"]
    first = body(open_node.vote(MEMBERS[0], proposal_id))
    operators = body(open_node.vote(OPERATOR, proposal_id))
    assert [first["proposalState"], operators["proposalState"]] == ["Open", "Open"]
    last = body(open_node.vote(MEMBERS[1], proposal_id))
    assert last["proposalState"] == "Accepted"
    assert last["finalVotes"] == {m.member_id: True for m in (MEMBERS[0], OPERATOR, MEMBERS[1])}


def test_noes_reject(open_node: SingleNode) -> None:
    proposal_id = body(open_node.propose(MEMBERS[0], _data("a")))["proposalId"]
    open_node.vote(MEMBERS[1], proposal_id, messages.NO)
    assert body(open_node.vote(MEMBERS[2], proposal_id, messages.NO))["proposalState"] == "Rejected"
    assert body(open_node.get(f"/gov/service/members/{MEMBERS[0].member_id}"))["memberData"] is None


def test_a_ballot_is_a_script_that_may_fail(open_node: SingleNode) -> None:
    proposal_id = body(open_node.propose(MEMBERS[0], _data("a")))["proposalId"]
    open_node.vote(MEMBERS[2], proposal_id, "export function vote () { throw new Error('not sure') }")
    for member in MEMBERS[:2]:
        last = body(open_node.vote(member, proposal_id))
    assert last["proposalState"] == "Accepted"
    assert last["voteFailures"][MEMBERS[2].member_id]["reason"] == "Error: not sure"


def test_a_ballot_sees_the_proposal_and_the_store(open_node: SingleNode) -> None:
    source = """
      export function vote (proposal, proposerId) {
        const info = ccf.kv["public:ccf.gov.members.info"].get(ccf.strToBuf(proposerId));
        return JSON.parse(proposal).actions[0].name === "set_member_data"
          && ccf.bufToJsonCompatible(info).status === "Active";
      }"""
    proposal_id = body(open_node.propose(MEMBERS[0], _data("a")))["proposalId"]
    open_node.vote(MEMBERS[1], proposal_id, source)
    assert body(open_node.vote(MEMBERS[0], proposal_id))["finalVotes"][MEMBERS[1].member_id] is True


def test_a_ballot_cannot_write(open_node: SingleNode) -> None:
    source = """
      export function vote () {
        ccf.kv["public:ccf.gov.members.info"].clear();
        return true;
      }"""
    proposal_id = body(open_node.propose(MEMBERS[0], _data("a")))["proposalId"]
    open_node.vote(MEMBERS[2], proposal_id, source)
    for member in MEMBERS[:2]:
        last = body(open_node.vote(member, proposal_id))
    assert "read-only" in last["voteFailures"][MEMBERS[2].member_id]["reason"]
    assert len(body(open_node.get("/gov/service/members"))["value"]) == 4


def test_an_operator_alone_trusts_and_removes_nodes(open_node: SingleNode) -> None:
    key = KeyPair.generate()
    open_node.add_pending_node(key.fingerprint, signing_request(key, "CN=CCF Node", ("dNSName:n1.example",)))
    trust = messages.transition_node_to_trusted(key.fingerprint, messages.certificate_time(NOW), 30)
    assert body(open_node.propose(OPERATOR, trust))["proposalState"] == "Accepted"
    assert open_node.read("public:ccf.gov.nodes.info", key.fingerprint.encode())["status"] == "Trusted"
    assert open_node.endorsed_certificate(key.fingerprint)

    assert body(open_node.propose(OPERATOR, messages.remove_node(key.fingerprint)))["proposalState"] == "Accepted"
    assert open_node.read("public:ccf.gov.nodes.info", key.fingerprint.encode())["status"] == "Retired"
    assert body(open_node.propose(OPERATOR, _data("a")))["proposalState"] == "Open"


def test_a_failing_apply_leaves_nothing(open_node: SingleNode) -> None:
    before = open_node.store.current
    unknown = messages.transition_node_to_trusted("ab" * 32, messages.certificate_time(NOW), 30)
    refused = open_node.propose(OPERATOR, unknown)
    assert error(refused) == (500, "InternalError")
    assert body(refused)["error"]["message"].startswith("Failed to apply(): Error: no node abab")
    assert open_node.store.current == before
    too_long = messages.set_all_nodes_certificate_validity(messages.certificate_time(NOW), 366)
    key = KeyPair.generate()
    open_node.add_pending_node(key.fingerprint, signing_request(key, "CN=CCF Node", ()))
    open_node.propose(OPERATOR, messages.transition_node_to_trusted(key.fingerprint, "260101000000Z", 1))
    assert error(open_node.propose(OPERATOR, too_long)) == (500, "InternalError")


def test_a_resolved_proposal_removes_the_others_that_are_resolved(open_node: SingleNode) -> None:
    first = open_node.passed(MEMBERS, _data("a"))["proposalId"]
    still_open = body(open_node.propose(MEMBERS[0], _data("b")))["proposalId"]
    second = open_node.passed(MEMBERS, _data("c"))["proposalId"]
    assert error(open_node.get(f"/gov/members/proposals/{first}")) == (404, "ProposalNotFound")
    listed = {p["proposalId"]: p["proposalState"] for p in body(open_node.get("/gov/members/proposals"))["value"]}
    assert listed == {still_open: "Open", second: "Accepted"}


def test_proposals_and_ballots_can_be_read_back(open_node: SingleNode) -> None:
    proposal_id = body(open_node.propose(MEMBERS[0], _data("a")))["proposalId"]
    open_node.vote(MEMBERS[0], proposal_id)
    assert body(open_node.get(f"/gov/members/proposals/{proposal_id}/actions")) == {"actions": [_data("a")]}
    ballots = f"/gov/members/proposals/{proposal_id}/ballots"
    assert open_node.get(f"{ballots}/{MEMBERS[0].member_id}").body == messages.YES.encode()
    assert error(open_node.get(f"{ballots}/{MEMBERS[1].member_id}")) == (404, "VoteNotFound")


def test_only_the_proposer_withdraws(open_node: SingleNode) -> None:
    proposal_id = body(open_node.propose(MEMBERS[0], _data("a")))["proposalId"]
    stranger = open_node.post(messages.withdrawal(MEMBERS[1], proposal_id, created_at=NOW))
    assert error(stranger) == (403, "AuthorizationFailed")
    own = open_node.post(messages.withdrawal(MEMBERS[0], proposal_id, created_at=NOW))
    assert body(own)["proposalState"] == "Withdrawn"
    assert error(open_node.vote(MEMBERS[1], proposal_id)) == (400, "ProposalNotOpen")
    assert open_node.post(messages.withdrawal(MEMBERS[0], "ab" * 32, created_at=NOW)).status == 204


def test_voting_twice(open_node: SingleNode) -> None:
    proposal_id = body(open_node.propose(MEMBERS[0], _data("a")))["proposalId"]
    first = open_node.vote(MEMBERS[0], proposal_id)
    assert body(open_node.vote(MEMBERS[0], proposal_id)) == body(first)
    assert error(open_node.vote(MEMBERS[0], proposal_id, messages.NO)) == (400, "VoteAlreadyExists")


def test_the_same_message_again_is_a_replay_and_an_old_one_too_old(open_node: SingleNode) -> None:
    message = messages.proposal(MEMBERS[0], [_data("a")], created_at=NOW + 10)
    first = body(open_node.post(message))["proposalId"]
    replay = open_node.post(message)
    assert error(replay) == (400, "ProposalReplay")
    assert first in body(replay)["error"]["message"]
    for second in (11, 12):
        open_node.propose(MEMBERS[0], _data("b"), created_at=NOW + second)
    assert error(open_node.propose(MEMBERS[0], _data("c"), created_at=NOW)) == (400, "ProposalCreatedTooLongAgo")
    assert error(open_node.propose(MEMBERS[0], _data("c"), created_at=10**10)) == (400, "InvalidCreatedAt")


def test_an_unknown_action_does_not_validate(open_node: SingleNode) -> None:
    refused = open_node.propose(MEMBERS[0], {"name": "make_tea", "args": {}})
    assert error(refused) == (400, "ProposalFailedToValidate")
    assert body(refused)["error"]["message"] == "Proposal failed to validate: unknown action make_tea"


def _reason(response: Any) -> str:
    assert error(response) == (401, "InvalidAuthenticationInfo")
    return str(body(response)["error"]["details"][0]["message"])


def test_who_may_not_speak(node: SingleNode) -> None:
    action = _data("a")
    assert _reason(node.propose(MEMBERS[0], action)) == "Signer is not an ACTIVE member"
    node.activate(MEMBERS[0])
    assert _reason(node.propose(generate_member("stranger"), action)) == "Signer is not a known member"

    other_key = dataclasses.replace(MEMBERS[0], key_pem=MEMBERS[1].key_pem)
    assert _reason(node.propose(other_key, action)) == "Failed to validate COSE Sign1"

    vote = messages.ballot(MEMBERS[0], "ab" * 32, messages.YES, created_at=NOW)
    wrong = messages.Message("/gov/members/proposals:create?api-version=2024-07-01", vote.body)
    expected = "Found ccf.gov.msg.type set to ballot, expected ccf.gov.msg.type to be proposal"
    assert _reason(node.post(wrong)) == expected

    message = messages.proposal(MEMBERS[0], [action], created_at=NOW)
    assert _reason(node.post(message, "application/json")) == "Content type is not set to application/cose"
    garbage = node.post(dataclasses.replace(message, body=b"garbage"))
    assert error(garbage) == (500, "InternalError")
    assert body(garbage)["error"]["message"] == "Failed to parse COSE_Sign1 outer array"


def test_a_member_cannot_speak_for_another(open_node: SingleNode) -> None:
    proposal_id = body(open_node.propose(MEMBERS[0], _data("a")))["proposalId"]
    own = messages.ballot(MEMBERS[0], proposal_id, messages.YES, created_at=NOW)
    forged = dataclasses.replace(own, path=own.path.replace(MEMBERS[0].member_id, MEMBERS[1].member_id))
    assert error(open_node.post(forged)) == (400, "InvalidResourceName")
    ack = messages.acknowledgement(MEMBERS[0], "00", created_at=NOW)
    forged = dataclasses.replace(ack, path=ack.path.replace(MEMBERS[0].member_id, MEMBERS[1].member_id))
    assert error(open_node.post(forged)) == (400, "InvalidAuthenticationInfo")


def test_messages_of_the_published_tool_are_taken(node: SingleNode) -> None:
    member = MEMBERS[0]
    header = {"ccf.gov.msg.type": "state_digest", "ccf.gov.msg.created_at": NOW}
    signed = ccf.cose.create_cose_sign1(b"{}", member.key_pem, member.certificate_pem, header)
    path = f"/gov/members/state-digests/{member.member_id}:update?api-version=2024-07-01"
    assert node.post(messages.Message(path, signed)).status == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [("", "MissingApiVersionParameter"), ("api-version=2019-01-01", "UnsupportedApiVersionValue")],
)
def test_the_api_version_is_mandatory(node: SingleNode, query: str, code: str) -> None:
    assert error(node.get("/gov/service/info", query)) == (400, code)


def test_unknown_paths_and_verbs(node: SingleNode) -> None:
    recorded = next(r for r in RECORDINGS if "/gov/service/transition" in r["path"])
    answer = node.get("/gov/service/transition")
    assert (answer.status, body(answer)) == (recorded["answer"]["status"], recorded["answer"]["body"])
    assert not answer.keep_writes
    assert error(node.request(Request("PUT", "/gov/service/info"))) == (405, "UnsupportedHttpVerb")
    assert error(node.get("/gov/members/proposals/nonsense")) == (400, "InvalidResourceName")


def test_reading_a_transactions_fate(node: SingleNode) -> None:
    assert body(node.get("/gov/service/transactions/2.1")) == {"status": "Committed", "transactionId": "2.1"}
    assert body(node.get("/gov/service/transactions/commit"))["transactionId"] == "2.2"
    assert error(node.get("/gov/service/transactions/x")) == (400, "InvalidQueryParameterValue")


def test_the_constitution_as_it_was_set(node: SingleNode) -> None:
    answer = node.get("/gov/service/constitution")
    assert (answer.body.decode(), answer.headers["content-type"]) == (CONSTITUTION, "text/javascript")


def test_a_member_added_later_gets_a_share_when_it_acknowledges(open_node: SingleNode) -> None:
    newcomer = generate_member("newcomer")
    open_node.passed(MEMBERS, messages.set_member(newcomer.certificate_pem, newcomer.encryption_public_key_pem))
    share = f"/gov/recovery/encrypted-shares/{newcomer.member_id}"
    assert error(open_node.get(share)) == (404, "ResourceNotFound")
    open_node.activate(newcomer)
    assert body(open_node.get(share))["memberId"] == newcomer.member_id


def test_the_service_certificate_is_renewed_with_the_same_key(open_node: SingleNode) -> None:
    before = open_node.read(SERVICE_INFO)["cert"]
    open_node.passed(MEMBERS, messages.set_service_certificate_validity(messages.certificate_time(NOW), 10))
    assert open_node.read(SERVICE_INFO)["cert"] != before
    too_long = messages.set_service_certificate_validity(messages.certificate_time(NOW), 400)
    proposal_id = body(open_node.propose(MEMBERS[0], too_long))["proposalId"]
    open_node.vote(MEMBERS[0], proposal_id)
    assert error(open_node.vote(MEMBERS[1], proposal_id)) == (500, "InternalError")
    assert body(open_node.get(f"/gov/members/proposals/{proposal_id}"))["proposalState"] == "Open"


def test_effects_are_asked_of_the_node(open_node: SingleNode) -> None:
    open_node.triggered.clear()
    answer = open_node.propose(OPERATOR, messages.trigger_snapshot(), messages.trigger_ledger_chunk())
    assert body(answer)["proposalState"] == "Accepted"
    assert open_node.triggered == ["snapshot", "chunk"]


def _generated(members: list[GeneratedMember]) -> set[str]:
    return {member.member_id for member in members}


def test_opening_needs_the_right_identity_and_enough_active_members() -> None:
    node = SingleNode(MEMBERS, threshold=3)
    node.activate(*MEMBERS[:2])
    stranger = SingleNode(MEMBERS).service_certificate
    wrong = body(node.propose(MEMBERS[0], messages.transition_service_to_open(stranger)))["proposalId"]
    node.vote(MEMBERS[0], wrong)
    refused = node.vote(MEMBERS[1], wrong)
    assert "Service identity mismatch" in body(refused)["error"]["message"]

    early = body(node.propose(MEMBERS[0], messages.transition_service_to_open(node.service_certificate)))["proposalId"]
    node.vote(MEMBERS[0], early)
    refused = node.vote(MEMBERS[1], early)
    assert "Recovery threshold 3" in body(refused)["error"]["message"]
    node.activate(MEMBERS[2])
    assert body(node.vote(MEMBERS[1], early))["proposalState"] == "Accepted"
    shown = {share for share in node.read("public:ccf.internal.recovery_shares")["encrypted_shares"]}
    assert shown == _generated(MEMBERS)
