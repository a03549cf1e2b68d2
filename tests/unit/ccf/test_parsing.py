import json
from pathlib import Path

import pytest

from ccf_operator.ccf import parsing
from ccf_operator.domain.txid import TxID, recovered_tx_id

RECORDINGS = json.loads((Path(__file__).parents[2] / "fixtures" / "ccf" / "recordings.json").read_text())
PARSERS = {
    "/node/state": parsing.parse_state,
    "/node/network": parsing.parse_network,
    "/node/network/nodes": parsing.parse_nodes,
    "/node/consensus": parsing.parse_consensus,
    "/node/commit": parsing.parse_commit,
    "/node/network/removable_nodes": parsing.parse_removable,
    "/node/service/previous_identity": parsing.parse_previous_identity,
    "/node/version": parsing.parse_version,
}


def recorded(path: str, moment: str | None = None, node: str | None = None) -> list[object]:
    return [
        a["answer"]["body"]
        for a in RECORDINGS
        if a["path"] == path
        and a["answer"].get("status") == 200
        and (moment is None or a["moment"] == moment)
        and (node is None or a["node"] == node)
    ]


@pytest.mark.parametrize("path", PARSERS)
def test_every_recorded_answer_parses(path: str) -> None:
    bodies = recorded(path)
    assert bodies
    for body in bodies:
        PARSERS[path](body)


@pytest.mark.parametrize("path", PARSERS)
@pytest.mark.parametrize("body", [None, [], "text", 7, {}, {"nodes": 3, "details": [], "node_id": 1}])
def test_other_shapes_are_unreadable(path: str, body: object) -> None:
    with pytest.raises(parsing.Unreadable):
        PARSERS[path](body)


@pytest.mark.parametrize(
    ("node", "recovered"), [("recover_from_most_complete", TxID(4, 126)), ("recover_from_lagging", TxID(4, 95))]
)
def test_candidates_that_have_read_their_ledgers(node: str, recovered: TxID) -> None:
    (body,) = recorded("/node/network", "recover node has read its public ledger", node)
    network = parsing.parse_network(body)
    assert (network.service_status, network.recovery_count) == ("Recovering", 1)
    assert network.create_tx_id is not None
    assert recovered_tx_id(network.create_tx_id) == recovered
    assert network.primary_id is not None


@pytest.mark.parametrize("count", [-1, 2**63])
def test_a_count_that_no_status_could_keep_is_unreadable(count: int) -> None:
    (state, *_), (network, *_) = recorded("/node/state"), recorded("/node/network")
    assert isinstance(state, dict)
    assert isinstance(network, dict)
    with pytest.raises(parsing.Unreadable):
        parsing.parse_state({**state, "last_signed_seqno": count})
    with pytest.raises(parsing.Unreadable):
        parsing.parse_network({**network, "recovery_count": count})


def test_a_service_without_quorum_names_no_primary() -> None:
    moment = "two of three nodes killed, 9 s later"
    (network,) = {parsing.parse_network(body) for body in recorded("/node/network", moment)}
    (consensus,) = [parsing.parse_consensus(body) for body in recorded("/node/consensus", moment)]
    assert (network.service_status, network.primary_id) == ("Open", None)
    assert (consensus.leadership, consensus.primary_id) == ("Candidate", None)
    assert [len(config.nodes) for config in consensus.configs] == [3]


def test_the_primary_acknowledges_each_peer() -> None:
    leaders = [
        c
        for c in map(parsing.parse_consensus, recorded("/node/consensus", "service Open, three nodes"))
        if c.leadership == "Leader"
    ]
    (leader,) = leaders
    (config,) = leader.configs
    assert set(leader.acks) | {leader.primary_id} == config.nodes


def test_what_ccf_may_leave_out() -> None:
    state = {"node_id": "ab", "state": "Pending", "last_signed_seqno": 0, "startup_seqno": 0}
    assert parsing.parse_state(state).recovery_target_seqno is None
    reading = {**state, "state": "ReadingPrivateLedger", "recovery_target_seqno": 3948, "last_recovered_seqno": 800}
    assert parsing.parse_state(reading).recovery_target_seqno == 3948
    retired = {
        "details": {"configs": [], "membership_state": "Retired", "retirement_phase": "Signed", "current_view": 3}
    }
    assert parsing.parse_consensus(retired).retirement_phase == "Signed"
    assert parsing.parse_commit({"transaction_id": "2.20"}) == TxID(2, 20)


@pytest.mark.parametrize("text", ["2", "a.b", "2.-1", "", "2.3.4"])
def test_a_commit_that_is_no_transaction_id(text: str) -> None:
    with pytest.raises(parsing.Unreadable):
        parsing.parse_commit({"transaction_id": text})
