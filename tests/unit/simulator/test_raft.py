from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.kv import TxID
from simulator.raft import (
    EntryRejected,
    Leadership,
    Membership,
    NotLeader,
    RetirementPhase,
)
from simulator.raft_messages import (
    AppendEntries,
    AppendEntriesResponse,
    BadMessage,
    ProposeRequestVote,
    RequestVote,
    RequestVoteResponse,
    decode,
    encode,
)
from simulator.view_history import ViewHistory
from unit.simulator.raft_network import ELECTION, HEARTBEAT, TICK, Network, SimulatedPeer, Weather


def states(peer: SimulatedPeer, since: float) -> list[tuple[Leadership, int]]:
    """The different (leadership, view) of a node since a time, in order."""
    seen: list[tuple[Leadership, int]] = []
    for at, leadership, view in peer.history:
        if at >= since and (not seen or seen[-1] != (leadership, view)):
            seen.append((leadership, view))
    return seen


class TestOneNode:
    def test_starts_in_view_2_at_2_1_and_commits_with_a_signature(self) -> None:
        network = Network()
        node = network.found()
        assert node.raft.last == TxID(2, 1)
        assert node.raft.committed == TxID(0, 0)
        assert not node.raft.ticking
        network.run(0.1)
        assert node.raft.committed == TxID(2, 2)
        assert node.raft.ticking
        assert not node.raft.should_sign

    def test_only_signatures_commit(self) -> None:
        network = Network()
        node = network.service("a")
        committed = node.raft.committed
        write = node.write()
        assert node.raft.committed == committed
        assert node.raft.status(write) == "Pending"
        node.sign()
        assert node.raft.status(write) == "Committed"
        assert node.raft.committed == TxID(2, write.seqno + 1)

    def test_recovered_service_starts_two_views_later_with_itself_alone(self) -> None:
        old = Network()
        old.service("a", "b", "c")
        network = Network()
        node = network.add("r", old.primary().log.entries)
        last = node.raft.last
        assert node.raft.committed == last
        node.raft.become_primary(last.view + 2, network.now)
        rows = {name: {"address": f"{name}:1", "status": "Retired"} for name in "abc"}
        create = node.write(rows={**rows, "r": {"address": "r:1", "status": "Trusted"}})
        assert create == TxID(last.view + 2, last.seqno + 1)
        network.run(0.3)
        assert node.raft.committed > create
        assert [set(one.nodes) for one in node.raft.configurations] == [{"r"}]
        joiner = network.join("s")
        network.run(1.0)
        assert joiner.raft.committed == node.raft.committed
        assert [set(one.nodes) for one in joiner.raft.configurations] == [{"r", "s"}]
        assert joiner.raft.ticking
        assert joiner.raft.membership is Membership.ACTIVE


class TestReplication:
    def test_backups_follow_and_commit(self) -> None:
        network = Network()
        primary = network.service("a", "b", "c")
        write = primary.write()
        network.run(0.6)
        for peer in network.alive():
            assert peer.raft.leader == "a"
            assert peer.raft.status(write) == "Committed"

    def test_backup_may_not_write(self) -> None:
        network = Network()
        network.service("a", "b")
        with pytest.raises(NotLeader):
            network.peers["b"].write()

    def test_entry_of_another_view_is_refused_and_not_kept(self) -> None:
        network = Network()
        primary = network.service("a")
        last = primary.log.last
        entry = {"view": 9, "seqno": last + 1, "kind": "write", "rows": None}
        with pytest.raises(EntryRejected):
            primary.raft.replicate(json.dumps(entry).encode(), network.now)
        assert primary.log.last == last
        assert primary.write() == TxID(2, last + 1)

    def test_too_much_uncommitted_is_said(self) -> None:
        network = Network()
        primary = network.service("a", "b", "c")
        network.kill("b", "c")
        network.run(0.3)
        while primary.raft.last.seqno - primary.raft.committed.seqno < 49:
            primary.write()
        assert not primary.raft.at_capacity
        primary.write()
        assert primary.raft.at_capacity

    def test_joiner_far_behind_catches_up_in_batches_through_all_views(self) -> None:
        network = Network(weather=Weather(loss=0.02))
        primary = network.service("a", "b", "c")
        for leader in ("a", "b"):
            primary = network.primary()
            for _ in range(300):
                primary.write()
            network.run(1.0)
            if leader == "a":
                network.partition({primary.name}, {"a", "b", "c"} - {primary.name})
                network.run(2.5 * ELECTION)
                network.heal()
                network.run(2 * ELECTION)
        assert len(network.primary().raft.view_starts) > 1
        joiner = network.join("d")
        network.run(3.0)
        assert joiner.raft.last == network.primary().raft.last
        batches = [len(m.entries) for _, _, to, m in network.sent if to == "d" and isinstance(m, AppendEntries)]
        assert max(batches) > 1

    def test_view_history_of_a_log_is_found_without_reading_all_of_it(self) -> None:
        views = [2] * 700 + [4] * 1 + [5] * 300
        looked_at: set[int] = set()

        def view_at(seqno: int) -> int:
            looked_at.add(seqno)
            return views[seqno - 1]

        history = ViewHistory.of_log(len(views), view_at)
        assert history.starts == (TxID(2, 1), TxID(4, 701), TxID(5, 702))
        assert len(looked_at) < 60
        assert [history.view_at(seqno) for seqno in (0, 1, 700, 701, 702, 1001)] == [0, 2, 2, 4, 5, 5]
        assert history.last_up_to_view(3, 900) == 700
        assert history.last_up_to_view(4, 900) == 701
        assert history.last_up_to_view(1, 900) == 0
        assert history.end_of_view_at(10) == 700
        assert history.end_of_view_at(702) is None


class TestLosses:
    def test_killed_minority_changes_nothing(self) -> None:
        network = Network()
        primary = network.service("a", "b", "c")
        view = primary.raft.view
        network.kill("c")
        start = network.now
        write = primary.write()
        network.run(3 * ELECTION)
        assert network.peers["b"].raft.status(write) == "Committed"
        assert states(primary, start) == [(Leadership.LEADER, view)]
        assert states(network.peers["b"], start) == [(Leadership.FOLLOWER, view)]

    def test_killed_majority_stops_commits_and_views_grow(self) -> None:
        network = Network()
        primary = network.service("a", "b", "c")
        network.kill("b", "c")
        start = network.now
        write = primary.write()
        took = network.run_until(lambda: not primary.raft.is_leader, within=1.2 * ELECTION)
        assert took > 0.8 * ELECTION
        assert (primary.raft.leadership, primary.raft.view, primary.raft.leader) == (Leadership.FOLLOWER, 2, None)
        network.run(5 * ELECTION)
        assert states(primary, network.now)[-1][0] is Leadership.CANDIDATE
        assert 2 + 3 <= primary.raft.view <= 2 + 10
        assert primary.raft.status(write) == "Pending"
        assert network.leaders == {2: "a"}
        assert [state for state, _ in states(primary, start)][:3] == ["Leader", "Follower", "Candidate"]

    def test_killed_primary_is_followed_by_another_with_all_that_was_committed(self) -> None:
        network = Network()
        primary = network.service("a", "b", "c")
        write = primary.write()
        network.run(0.6)
        network.kill("a")
        took = network.run_until(lambda: any(peer.raft.is_leader for peer in network.alive()), within=3 * ELECTION)
        assert took >= 0.4 * ELECTION
        network.run(1.0)
        successor = network.primary()
        assert successor.raft.view > 2
        assert successor.raft.status(write) == "Committed"
        assert successor.raft.committed.view == successor.raft.view

    def test_isolated_primary_goes_on_signing_and_loses_it_all(self) -> None:
        network = Network()
        primary = network.service("a", "b", "c")
        network.run(1.0)
        network.partition({"a"}, {"b", "c"})
        lost = [primary.write() for _ in range(20)]
        primary.sign()
        network.run(2.5 * ELECTION)
        successor = network.primary()
        assert successor.name != "a"
        kept = successor.write()
        network.run(0.5)
        assert successor.raft.status(kept) == "Committed"
        assert primary.raft.last.seqno > successor.raft.last.seqno
        assert primary.raft.last < successor.raft.last
        assert primary.raft.status(lost[0]) == "Pending"

        network.heal()
        network.run(4 * ELECTION)
        for peer in network.alive():
            assert peer.raft.status(kept) == "Committed"
            assert {peer.raft.status(txid) for txid in lost} == {"Invalid"}
            assert peer.log.entries == network.primary().log.entries

    def test_unknown_is_said_of_what_may_still_come(self) -> None:
        network = Network()
        primary = network.service("a")
        committed = primary.raft.committed
        assert primary.raft.status(TxID(committed.view, committed.seqno + 10)) == "Unknown"
        assert primary.raft.status(TxID(committed.view + 3, committed.seqno + 10)) == "Unknown"
        assert primary.raft.status(TxID(committed.view - 1, committed.seqno + 10)) == "Invalid"
        assert primary.raft.status(TxID(committed.view + 1, committed.seqno)) == "Invalid"

    def test_new_primary_drops_what_is_not_signed(self) -> None:
        network = Network(weather=Weather(delay=(0.001, 0.002)))
        primary = network.service("a", "b", "c")
        network.run(1.0)
        signed = primary.raft.last
        unsigned = primary.write()
        network.run(HEARTBEAT + 2 * TICK)
        assert network.peers["b"].raft.last == unsigned
        network.kill("a")
        network.run(3 * ELECTION)
        successor = network.primary()
        assert successor.raft.view_at(signed.seqno) == 2
        assert successor.raft.view_at(unsigned.seqno) == successor.raft.view
        assert successor.raft.status(unsigned) == "Invalid"

    def test_vote_goes_to_the_greater_view_of_the_last_signature_not_to_the_longer_log(self) -> None:
        network = Network()
        network.service("a", "b", "c")
        network.run(0.5)
        voter = network.peers["b"].raft
        last = voter.last
        ask = voter.view + 10
        voter.receive("c", RequestVote(ask, TxID(last.view - 1, last.seqno + 100)), network.now)
        voter.receive("c", RequestVote(ask + 1, TxID(last.view, last.seqno - 1)), network.now)
        voter.receive("c", RequestVote(ask + 2, TxID(last.view, last.seqno)), network.now)
        voter.receive("a", RequestVote(ask + 2, TxID(last.view + 1, last.seqno)), network.now)
        voter.receive("a", RequestVote(ask + 3, TxID(last.view + 1, 1)), network.now)
        answers = [
            m.granted for _, sender, _, m in network.sent if sender == "b" and isinstance(m, RequestVoteResponse)
        ]
        assert answers[-5:] == [False, False, True, False, True]

    def test_what_a_backup_holds_beyond_a_message_is_neither_committed_nor_acknowledged(self) -> None:
        network = Network()
        primary = network.service("a", "b", "c")
        network.run(0.5)
        network.kill("c")
        network.cut.add(("b", "a"))
        shared = primary.raft.last
        primary.write()
        primary.sign()
        network.run(0.3)
        backup = network.peers["b"].raft
        assert (backup.last.seqno, backup.committed) == (shared.seqno + 2, shared)
        # The leader of a later view holds something else after `shared`, and has committed it.
        backup.receive("c", AppendEntries(9, shared, shared, shared.seqno + 2), network.now)
        assert backup.committed == shared
        assert network.sent[-1][1:] == ("b", "c", AppendEntriesResponse(TxID(9, shared.seqno), True))


class TestReconfiguration:
    def test_trusting_a_dead_node_on_a_one_node_service_ends_it(self) -> None:
        network = Network()
        primary = network.service("a")
        network.join("b")
        network.kill("b")
        committed = primary.raft.committed
        network.run_until(lambda: not primary.raft.is_leader, within=1.2 * ELECTION)
        network.run(3 * ELECTION)
        assert primary.raft.committed == committed
        assert primary.raft.leadership is Leadership.CANDIDATE
        assert len(primary.raft.configurations) == 2

    def test_reconfiguration_needs_a_majority_of_the_old_and_of_the_new(self) -> None:
        network = Network()
        primary = network.service("a", "b", "c")
        network.run(0.5)
        network.kill("b", "c")

        def grow(rows: dict[str, dict[str, str]]) -> None:
            rows.update({name: {"address": f"{name}:1", "status": "Trusted"} for name in "de"})

        write = primary.change(grow)
        for name in "de":
            network.add(name).raft.become_backup(network.now)
        network.run(0.8 * ELECTION)
        # a, d, e are three of five, but one of three.
        assert primary.raft.status(write) == "Pending"
        assert [set(one.nodes) for one in primary.raft.configurations] == [set("abc"), set("abcde")]
        network.run(ELECTION)
        assert not primary.raft.is_leader

    def test_removed_backup_left_running_calls_an_election_and_hands_over(self) -> None:
        network = Network()
        primary = network.service("a", "b", "c")
        view = primary.raft.view
        network.retire("c")
        retired = network.peers["c"].raft
        network.run_until(lambda: retired.retirement_phase is RetirementPhase.COMPLETED, within=1.0)
        network.run_until(lambda: "c" not in primary.raft.details(network.now)["acks"], within=1.0)
        heard = len([1 for _, sender, to, _ in network.sent if (sender, to) == ("a", "c")])
        network.run(0.4 * ELECTION)
        assert heard == len([1 for _, sender, to, _ in network.sent if (sender, to) == ("a", "c")])
        assert retired.leadership is Leadership.FOLLOWER
        network.run(3 * ELECTION)
        assert network.leaders[view + 1] == "c"
        assert retired.retirement_phase is RetirementPhase.RETIRED_COMMITTED
        assert not retired.is_leader
        assert network.leaders[view + 2] in {"a", "b"}
        assert network.primary().raft.view == view + 2
        with pytest.raises(NotLeader):
            network.peers["c"].write()

    def test_removed_backup_stopped_in_time_changes_nothing(self) -> None:
        network = Network()
        primary = network.service("a", "b", "c")
        network.retire("c")
        network.run_until(lambda: "c" not in primary.raft.details(network.now)["acks"], within=1.0)
        network.kill("c")
        write = primary.write()
        network.run(3 * ELECTION)
        assert primary.raft.is_leader
        assert primary.raft.view == 2
        assert primary.raft.status(write) == "Committed"

    def test_dead_node_can_be_removed_and_replaced_at_once(self) -> None:
        network = Network()
        primary = network.service("a", "b", "c")
        network.kill("c")

        def replace(rows: dict[str, dict[str, str]]) -> None:
            rows["c"]["status"] = "Retired"
            rows["d"] = {"address": "d:1", "status": "Trusted"}

        primary.change(replace)
        network.add("d").raft.become_backup(network.now)
        network.run(1.5)
        assert [set(one.nodes) for one in primary.raft.configurations] == [{"a", "b", "d"}]
        assert set(primary.raft.details(network.now)["acks"]) == {"b", "d"}
        assert network.peers["d"].raft.committed == primary.raft.committed

    def test_removed_primary_nudges_a_successor(self) -> None:
        network = Network()
        primary = network.service("a", "b", "c")
        network.retire("a")
        took = network.run_until(lambda: primary.raft.retirement_phase is RetirementPhase.RETIRED_COMMITTED, within=1.5)
        assert any(isinstance(m, ProposeRequestVote) for _, sender, _, m in network.sent if sender == "a")
        took += network.run_until(lambda: any(peer.raft.is_leader for peer in network.alive()), within=0.4 * ELECTION)
        assert took < 1.5
        assert network.primary().name in {"b", "c"}
        network.run(3 * ELECTION)
        assert network.primary().raft.view == 3
        assert primary.raft.membership is Membership.RETIRED
        assert primary.raft.leadership is not Leadership.CANDIDATE

    def test_retirement_that_is_rolled_back_is_undone(self) -> None:
        network = Network()
        network.service("a", "b", "c")
        network.run(0.5)
        network.partition({"a"}, {"b", "c"})
        network.peers["a"].change(lambda rows: rows["a"].update(status="Retired"))
        network.peers["a"].sign()
        network.run(2.5 * ELECTION)
        assert network.peers["a"].raft.membership is Membership.RETIRED
        assert network.peers["a"].raft.retirement_phase is RetirementPhase.SIGNED
        network.heal()
        network.run(4 * ELECTION)
        for peer in network.alive():
            assert peer.raft.membership is Membership.ACTIVE
            assert [set(one.nodes) for one in peer.raft.configurations] == [set("abc")]

    def test_node_that_is_in_no_configuration_calls_no_election(self) -> None:
        network = Network()
        stranger = network.add("x")
        stranger.raft.become_backup(network.now)
        network.run(5 * ELECTION)
        assert states(stranger, 0) == [(Leadership.FOLLOWER, 0)]


class TestDetails:
    def test_look_as_ccf_shows_them(self) -> None:
        network = Network()
        primary = network.service("a", "b")
        network.run(1.0)
        details = primary.raft.details(network.now)
        ack = details.pop("acks")["b"]
        assert ack["seqno"] == primary.raft.last.seqno
        assert 0 <= ack["last_received_ms"] <= 200
        (configuration,) = details.pop("configs")
        assert configuration["nodes"] == {"a": {"address": "a:1"}, "b": {"address": "b:1"}}
        assert configuration["idx"] == configuration["rid"] == primary.raft.configurations[0].seqno
        assert details == {
            "membership_state": "Active",
            "leadership_state": "Leader",
            "primary_id": "a",
            "current_view": 2,
            "reconfiguration_type": "OneTransaction",
            "ticking": True,
        }
        backup = network.peers["b"].raft.details(network.now)
        assert backup["acks"] == {"a": {"seqno": 0, "last_received_ms": 0}}
        assert (backup["leadership_state"], backup["primary_id"]) == ("Follower", "a")


class TestMessages:
    def test_come_back_as_they_were(self) -> None:
        for message in (
            AppendEntries(4, TxID(3, 7), TxID(4, 9), 5, (b"", b"\0\xff")),
            RequestVote(3, TxID(2, 1)),
            RequestVoteResponse(3, True),
            ProposeRequestVote(8),
        ):
            assert decode(encode(message)) == message

    @given(st.binary(max_size=60), st.integers(0, 40), st.booleans())
    def test_nothing_else_is_taken(self, noise: bytes, at: int, replaced: bool) -> None:
        good = encode(AppendEntries(4, TxID(3, 7), TxID(4, 8), 5, (b"entry",)))
        data = good[:at] + noise + (good[at:] if replaced else b"")
        try:
            message = decode(data)
        except BadMessage:
            return
        assert encode(message) == data or isinstance(message, AppendEntries)


class TestAnyWeather:
    """Random schedules of loss, reordering, partitions, crashes and reconfigurations; Network checks what must hold."""

    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, 2**32))
    def test_nothing_committed_is_lost_and_all_agree_in_the_end(self, seed: int) -> None:
        network = Network(seed, Weather(loss=0.05, delay=(0.001, 0.3)))
        network.found("n0")
        spare = [f"n{number}" for number in range(9, 0, -1)]
        for _ in range(40):
            network.run(network.random.uniform(0.05, 0.8))
            _disturb(network, spare)
        assert network.truth

        network.heal()
        network.weather = Weather()
        for _ in range(60):
            network.stop_removed()
            network.run(ELECTION)
            if _agree(network):
                return
        pytest.fail(f"they do not agree in the end (seed {seed})")


def _agree(network: Network) -> bool:
    """A primary has committed all it holds, and every node of its configuration that is up holds just that."""
    leaders = [peer for peer in network.alive() if peer.raft.is_leader]
    if len(leaders) != 1 or len(leaders[0].raft.configurations) != 1:
        return False
    (leader,) = leaders
    members = [network.peers[name] for name in leader.raft.configurations[0].nodes if name not in network.down]
    return all(
        peer.raft.committed == leader.raft.last and peer.log.entries == leader.log.entries for peer in members
    ) and len(network.truth) == len(leader.log.entries)


def _disturb(network: Network, spare: list[str]) -> None:
    random = network.random
    leaders = [peer for peer in network.alive() if peer.raft.is_leader]
    leader = random.choice(leaders) if leaders else None
    match random.choice(["write", "write", "sign", "trust", "trust", "cut", "heal", "heal", "kill", "retire"]):
        case "write" if leader:
            for _ in range(random.randrange(1, 6)):
                leader.write()
        case "sign" if leader:
            leader.sign()
        case "trust" if leader and spare and len(leader.raft.configurations) == 1:
            name = spare.pop()
            leader.change(lambda rows: rows.update({name: {"address": f"{name}:1", "status": "Trusted"}}))
            network.add(name).raft.become_backup(network.now)
        case "cut":
            names = list(network.peers)
            side = set(random.sample(names, random.randrange(len(names))))
            network.partition(side, set(names) - side)
        case "heal":
            network.heal()
        case "kill":
            victim = random.choice(list(network.peers))
            if _has_quorum(network, network.down | {victim}):
                network.kill(victim)
        case "retire" if leader and len(leader.raft.configurations) == 1:
            trusted = sorted(leader.raft.configurations[0].nodes)
            if len(trusted) > 3:
                gone = next((name for name in trusted if name in network.down), random.choice(trusted))
                leader.change(lambda rows: rows[gone].update(status="Retired"))


def _has_quorum(network: Network, down: set[str]) -> bool:
    """In every configuration that any node knows, the majority would be up."""
    configurations = [one for peer in network.peers.values() for one in peer.raft.configurations]
    return all(len(one.nodes.keys() - down) >= one.quorum for one in configurations)
