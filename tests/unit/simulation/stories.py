"""Histories told on purpose, one for each way to go wrong. Each fails if the network does not end as it should."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache

from ccf_operator.api.decision import Action, DecisionState
from ccf_operator.api.status import (
    AttemptPhase,
    AttemptResult,
    Candidate,
    CandidateResult,
    CandidateStage,
    NetworkStatus,
    Phase,
    PodState,
    ServiceStatus,
    Verdict,
)
from ccf_operator.domain.reasons import Reason
from unit.simulation.ccf_model import Entry, Generation, Process
from unit.simulation.history import History

Story = Callable[[], None]


@cache
def _opened(nodes: int, trusted: bool) -> History:
    history = History(nodes, recovery={"trustMachineDisks": trusted})
    history.settle()
    history.open()
    history.settle()
    assert history.is_whole(), (history.status.phase, history.status.message)
    return history


def opened(nodes: int = 3, *, trusted: bool = False) -> History:
    """A network that runs, with a few committed transactions."""
    history = copy.deepcopy(_opened(nodes, trusted))
    for _ in range(3):
        history.write()
    return history


def kill(history: History, *names: str) -> None:
    for name in names or [pod.name for pod in history.processes()]:
        history.kill(name)


def commits(history: History, writes: int = 1) -> None:
    """Clients write, and see something committed."""
    before = len(history.committed)
    for _ in range(writes):
        history.write()
    assert len(history.committed) > before


def names(history: History) -> list[str]:
    return [pod.name for pod in history.processes()]


def ends_whole(history: History) -> None:
    """The network runs in the end, with all that was committed, and is then left alone."""
    history.see_to_the_end()
    assert history.is_whole(), (history.status.phase, history.status.reason, history.status.message)
    history.check_nothing_is_lost()
    history.check_is_settled()


def ends_with_a_person(history: History) -> None:
    """Something may be missing, so nothing is chosen."""
    history.see_to_the_end()
    assert history.status.phase is Phase.BLOCKED, (history.status.phase, history.status.reason)
    assert history.status.attempt is not None
    assert history.status.attempt.winner is None


def look_until(history: History, what: Callable[[], object], looks: int = 60) -> None:
    for _ in range(looks):
        if what():
            return
        history.look()
    raise AssertionError(f"never came: {history.status.phase} {history.status.reason} {history.status.message}")


def chosen(history: History) -> bool:
    return history.status.attempt is not None and history.status.attempt.winner is not None


def asked(history: History) -> bool:
    attempt = history.status.attempt
    return attempt is not None and attempt.phase is AttemptPhase.AWAITING_MEMBERS


# The stories


def a_majority_is_killed() -> None:
    history = opened()
    kill(history, *names(history)[:2])
    ends_whole(history)


def every_other_operator_dies_of_its_first_effect() -> None:
    """It has written what it has decided; the next one does it, and tells of it."""
    history = opened()
    kill(history, *names(history)[:2])
    for _ in range(40):
        history.look(stop_after=0)
        history.look()
    ends_whole(history)


def kubelets_are_cut_off() -> None:
    """The API server does not hear of two machines for long, while their nodes go on."""
    history = opened()
    for name in ("m0", "m1"):
        history.cluster.machines[name].cut = True
    for _ in range(30):
        history.pass_time(30)
        history.look()
        history.write()
    assert history.status.attempt is None
    ends_whole(history)
    assert history.status.recoveries == 0


def everybody_is_silent() -> None:
    history = opened()
    for pod in history.processes():
        history.process(pod.name).mute = True
    for _ in range(30):
        history.pass_time(60)
        history.look()
        assert history.status.attempt is None
    ends_whole(history)
    assert history.status.recoveries == 0


def the_operator_is_cut_off() -> None:
    """From all nodes of all networks: they and their clients go on, and nobody is told to end any."""
    history = opened()
    before = {pod.name for pod in history.processes()}
    history.cut_operator_off()
    for _ in range(30):
        history.pass_time(60)
        history.look()
        history.write()
        assert history.status.attempt is None
        assert {pod.name for pod in history.processes()} == before
    assert history.status.reason == "OperatorIsolated"
    ends_whole(history)
    assert {pod.name for pod in history.processes()} == before
    assert history.status.recoveries == 0


def one_is_recovered_twice() -> None:
    """What the second recovery reads is in two generations."""
    history = opened(1)
    for _ in range(2):
        kill(history)
        ends_whole(history)
        history.write()
    assert history.status.recoveries == 2


def a_candidate_hangs() -> None:
    history = opened()
    kill(history)
    look_until(history, lambda: len(history.processes()) == 3)
    for pod in history.processes()[:1]:
        pod.process.frozen = True  # type: ignore[union-attr]
    for _ in range(40):
        history.look()
        history.pass_time(60)
    assert chosen(history), history.status.message


def a_volume_is_of_an_earlier_service() -> None:
    """It was restored from a backup, and goes on far beyond what the service of today holds (CCF facts §8.8)."""
    history = opened()
    kill(history)
    ends_whole(history)
    history.write()
    history.settle()
    volume = next(v for v in history.status.volumes if v.lineage == max(v.lineage for v in history.status.volumes))
    claim = history.cluster.claims[volume.name]
    old = [Entry(2, "of an earlier service", "0" * 64, "Open", frozenset({"x"}))]
    claim.foreign = True
    claim.generations[volume.lineage[-1]] = Generation(0, [*old, *(Entry(99, f"old {n}") for n in range(99))])
    kill(history)
    ends_whole(history)


def damage_hides_what_was_committed() -> None:
    """The one that has all is lost, another is damaged, the third lags behind."""
    history = opened()
    first, second, third = names(history)
    history.process(third).slow = True
    for _ in range(3):
        history.write()
    volumes = {pod.name: pod.volume for pod in history.processes()}
    kill(history)
    history.cluster.claims[volumes[second]].damage = 4
    history.lose_claim(volumes[first])
    ends_with_a_person(history)


def a_primary_appends_in_vain() -> None:
    """The greater seqno is on the branch that never committed (CCF facts §8.3)."""
    history = opened()
    cut_off = history.leader()
    assert cut_off is not None
    cut_off.side = 1
    history.append_in_vain(cut_off.pod, 20)
    history.pass_time(5)
    for _ in range(3):
        history.write()
    history.settle()
    kill(history)
    ends_whole(history)
    assert "Fork" in {event.reason for event in history.published}


def joiners_go_on_before_their_trust_was_seen_committed() -> None:
    """The first node ends at that moment; what the others committed is on volumes that are known by then."""
    history = opened(1)
    history.spec = history.spec.model_copy(update={"nodes": 3})
    history.generation += 1
    history.settle()
    first = history.leader()
    assert first is not None
    for process in history.ccf.processes.values():
        process.slow = process is not first
    history.trust_and_remove()
    history.look()
    for process in history.ccf.processes.values():
        process.slow = False
    history.ccf.spread(first)
    history.kill(first.pod)
    history.look()
    commits(history)
    kill(history)
    ends_whole(history)


def _cut_off_with_a_joiner(history: History) -> tuple[Process, Process]:
    """The primary, which is cut off from the others, and the joiner that it trusts in that moment."""
    history.spec = history.spec.model_copy(update={"nodes": 4})
    history.generation += 1
    history.settle()
    isolated = history.leader()
    joiner = next(process for process in history.ccf.processes.values() if process.registered and not process.log)
    assert isolated is not None
    isolated.side = joiner.side = 1
    history.ccf.change_nodes(isolated, isolated.nodes() | {joiner.node_id})
    assert joiner.log == isolated.log
    return isolated, joiner


def a_primary_trusts_a_joiner_as_it_is_cut_off() -> None:
    """It sends the joiner its keys, and the others elect one of themselves who has never heard of it."""
    history = opened()
    isolated, joiner = _cut_off_with_a_joiner(history)
    history.ccf.tick()
    isolated.side = joiner.side = 0
    ends_whole(history)
    assert history.status.recoveries == 0
    assert joiner.pod not in names(history)


def the_others_elect_one_that_commits_nothing() -> None:
    """It does not know the joiner either, but the primary that was cut off can still win, and then does."""
    history = opened()
    isolated, joiner = _cut_off_with_a_joiner(history)
    others = [process for process in history.ccf.processes.values() if process not in (isolated, joiner)]
    for process in others:
        process.gets = len(process.log)
    for _ in range(20):
        history.pass_time(5)
        history.look()
        assert joiner.alive, "it is part of the configuration that is committed in the end"
    assert history.status.quorum.verdict is Verdict.DEGRADED
    elected = next(process for process in others if process.leads)
    history.kill(elected.pod)
    for process in others:
        process.gets = 10**6
    ends_whole(history)
    assert history.status.recoveries == 0
    assert joiner.pod in names(history)


def a_survivor_cannot_be_fenced() -> None:
    """It hangs, on a machine whose kubelet is cut off: its ledger is done without."""
    history = opened()
    first, second, third = names(history)
    history.process(third).mute = True
    history.cluster.machines[history.cluster.pods[third].machine or ""].cut = True
    kill(history, first, second)
    for _ in range(40):
        history.look()
        history.pass_time(20)
    assert chosen(history), history.status.message
    ends_whole(history)


def a_survivor_that_is_needed_cannot_be_fenced() -> None:
    """The others' disks may lack what was written last: it is waited for, for a while, and then a person is asked."""
    history = opened()
    first, second, third = names(history)
    history.process(third).mute = True
    machines = [history.cluster.pods[name].machine or "" for name in (first, second, third)]
    history.cluster.machines[machines[2]].cut = True
    for machine in machines[:2]:
        history.cluster.power_off(machine)
        history.cluster.power_on(machine)
    look_until(history, lambda: history.status.attempt is not None)
    for _ in range(40):
        history.look()
        history.pass_time(20)
    assert history.status.attempt is not None
    assert history.status.attempt.phase is AttemptPhase.AWAITING_APPROVAL


def a_candidate_lies(how: int, result: CandidateResult) -> None:
    """What it says does not fit what its ledger was found to be."""
    history = opened()
    kill(history)
    look_until(history, lambda: len(history.processes()) == 3)
    liar = history.processes()[0]
    assert liar.process is not None
    liar.process.lie = how
    look_until(history, lambda: chosen(history))
    attempt = history.status.attempt
    assert attempt is not None
    assert {c.node: c.result for c in attempt.candidates}[liar.name] is result
    ends_whole(history)


def it_counts_another_recovery() -> None:
    a_candidate_lies(1, CandidateResult.WRONG_SERVICE)


def it_names_another_service_before_it() -> None:
    a_candidate_lies(2, CandidateResult.WRONG_SERVICE)


def it_claims_more_than_its_ledger_holds() -> None:
    a_candidate_lies(3, CandidateResult.DAMAGED)


def the_configuration_grew_unseen() -> None:
    """Two joiners were trusted, and went on without the first, while the operator was away."""
    history = opened(1)
    history.spec = history.spec.model_copy(update={"nodes": 3})
    history.generation += 1
    history.settle()
    leader = history.leader()
    assert leader is not None
    history.trust_and_remove()
    history.pass_time(1)
    history.kill(leader.pod)
    history.pass_time(1)
    commits(history)
    kill(history)
    ends_with_a_person(history)


def only_the_one_that_lags_is_left() -> None:
    history = opened()
    first, second, third = names(history)
    history.settle()
    history.process(third).slow = True
    volumes = {pod.name: pod.volume for pod in history.processes()}
    for _ in range(3):
        history.write()
    kill(history)
    history.lose_claim(volumes[first])
    history.lose_claim(volumes[second])
    ends_with_a_person(history)


def the_ends_of_all_disks_are_lost(trusted: bool = True) -> None:
    """A power cut of all machines, of which the mark has been seen."""
    history = opened(trusted=trusted)
    history.pass_time(6)
    history.settle()
    for machine in history.cluster.machines:
        history.cluster.power_off(machine, unsynced=2)
    ends_with_a_person(history)


def the_ends_of_all_disks_are_lost_unseen() -> None:
    """The same, where the operator had not looked since."""
    history = opened()
    history.settle()
    for _ in range(3):
        history.write()
    for machine in history.cluster.machines:
        history.cluster.power_off(machine, unsynced=3)
    ends_with_a_person(history)


def the_ends_of_all_disks_are_lost_and_nobody_says_so() -> None:
    """After the machines are back, only that they have booted tells it."""
    history = opened()
    history.settle()
    for _ in range(3):
        history.write()
    for machine in history.cluster.machines:
        history.cluster.power_off(machine, unsynced=3)
    for machine in history.cluster.machines:
        history.cluster.power_on(machine, says="Error")
    ends_with_a_person(history)


def an_approval_is_of_what_was_shown() -> None:
    history = opened()
    history.settle()
    for machine in history.cluster.machines:
        history.cluster.power_off(machine, unsynced=1)
    history.heal()
    look_until(history, lambda: history.status.reason == "ApprovalRequired")
    attempt = history.status.attempt
    assert attempt is not None
    shown = attempt.token
    history.decide(Action.EXCLUDE, volume=attempt.candidates[0].volume)
    history.look()
    history.decide(Action.APPROVE, token=shown)
    ends_with_a_person(history)
    history.see_to_the_end(decides=True)
    assert history.is_whole(), history.status.message


def a_joiner_lags_behind() -> None:
    """It is trusted, and knows its service, but not all that was committed since (CCF facts §8.8)."""
    history = opened()
    kill(history)
    recovered = len(next(iter(history.ccf.processes.values())).log)
    history.ccf.next_joiners_get = [10**6, recovered + 1]
    history.settle()
    late = [process for process in history.ccf.processes.values() if process.gets == recovered + 1]
    record = history.status.node(late[0].pod)
    assert record is not None
    assert record.joined_at is None
    late[0].gets = 10**6
    ends_whole(history)


def all_have_joined_when_members_are_asked() -> None:
    history = opened()
    kill(history)
    look_until(history, lambda: asked(history))
    assert sum(record.joined_at is not None for record in history.status.nodes if record.attempt) == 3
    ends_whole(history)


def a_joiner_dies_while_the_ledger_is_read() -> None:
    history = opened()
    kill(history)
    look_until(history, lambda: asked(history))
    history.accept()
    history.submit_shares(reading=30)
    history.kill(next(p.pod for p in history.ccf.processes.values() if p.alive and p.target))
    for _ in range(10):
        history.look()
    ends_whole(history)


def the_winner_cannot_read_its_private_ledger() -> None:
    history = opened()
    kill(history)
    look_until(history, lambda: asked(history))
    leader = history.recovering_leader()
    assert leader is not None
    leader.rotten = True
    history.accept()
    history.submit_shares(reading=3)
    ends_whole(history)
    assert history.status.recoveries == 1


def a_ledger_does_not_decrypt() -> None:
    """As often as it is chosen: the next attempt chooses another that ends alike."""
    history = opened()
    kill(history)
    for _ in range(4):
        look_until(history, lambda: asked(history))
        attempt = history.status.attempt
        assert attempt is not None
        assert attempt.winner is not None
        bad = attempt.winner.volume if not attempt.tried else attempt.tried[0]
        for pod in history.processes():
            pod.process.rotten = attempt.winner.volume == bad  # type: ignore[union-attr]
        history.accept()
        history.submit_shares(reading=3)
        history.settle()
        if history.status.recoveries:
            break
    ends_whole(history)
    assert history.status.recoveries == 1


def nobody_can_read_the_private_ledger() -> None:
    history = opened()
    kill(history)
    look_until(history, lambda: asked(history))
    for pod in history.processes():
        pod.process.rotten = True  # type: ignore[union-attr]
    history.accept()
    history.submit_shares(reading=3)
    ends_whole(history)
    assert history.status.recoveries == 1


def members_open_it_unasked_and_it_is_lost() -> None:
    """Nobody looked between the choice and the loss: that the service was open is on the winner's volume alone."""
    history = opened()
    kill(history)
    look_until(history, lambda: chosen(history))
    history.accept()
    history.submit_shares()
    commits(history)
    kill(history)
    history.see_to_the_end(decides=True)
    ends_whole(history)


def an_impostor_answers() -> None:
    """Another process has the address of a pod whose machine is cut off."""
    history = opened()
    history.settle()
    pod = history.processes()[0]
    pod.impostor = True
    for _ in range(10):
        history.pass_time(20)
        history.look()
    record = history.status.node(pod.name)
    assert record is not None
    assert "not the node" in (record.note or "")
    assert history.status.attempt is None
    ends_whole(history)


def members_are_slow() -> None:
    history = opened()
    kill(history)
    look_until(history, lambda: asked(history))
    for _ in range(20):
        history.pass_time(10**5)
        history.look()
    assert history.status.phase is Phase.AWAITING_MEMBERS
    ends_whole(history)


def an_opening_is_seen_before_it_commits() -> None:
    """The winner says Open to itself, then dies: a dead end that CCF cannot leave (CCF facts §8.8)."""
    history = opened()
    kill(history)
    look_until(history, lambda: asked(history))
    history.accept()
    history.look()
    leader = history.recovering_leader()
    assert leader is not None
    for process in history.ccf.group(leader):
        process.slow = True
    history.submit_shares(commit=False)
    history.look()
    history.kill(leader.pod)
    ends_whole(history)


def the_winner_dies_among_its_joiners() -> None:
    history = opened()
    kill(history)
    look_until(history, lambda: asked(history))
    assert history.status.attempt is not None
    assert history.status.attempt.winner is not None
    history.kill(history.status.attempt.winner.node)
    history.settle()
    assert history.status.attempt is not None
    assert history.status.attempt.number == 1, "a quorum of the recovering network lives"
    ends_whole(history)


def opened_and_lost_while_nobody_looked() -> None:
    """The operator is away; the members open the recovered service, clients write, and the majority dies."""
    history = opened()
    kill(history)
    look_until(history, lambda: asked(history))
    history.accept()
    history.submit_shares()
    history.pass_time(1)
    commits(history, writes=3)
    kill(history)
    ends_whole(history)


def the_winner_dies_before_anybody_was_asked() -> None:
    history = opened(1)
    kill(history)
    look_until(history, lambda: chosen(history))
    kill(history)
    ends_whole(history)
    assert [past.result for past in history.status.history].count(AttemptResult.SUPERSEDED) >= 1


def a_retired_node_is_not_hurried() -> None:
    history = opened()
    history.spec = history.spec.model_copy(update={"nodes": 2})
    history.generation += 1
    history.settle()
    leader = history.leader()
    assert leader is not None
    for process in history.ccf.group(leader):
        process.slow = process is not leader
    history.trust_and_remove()  # is not committed yet
    history.settle()
    ends_whole(history)


def a_drill() -> None:
    """A person ends a service that is well; a client that holds on to it writes to the last."""
    history = opened()
    history.start_recovery()
    look_until(history, lambda: history.status.start is not None)
    while history.status.attempt is None:
        history.write()
        history.look()
    ends_whole(history)
    assert history.status.recoveries == 1


def a_drill_whose_operator_dies_at_every_effect() -> None:
    history = opened()
    history.start_recovery()
    for effects in range(12):
        history.write()
        history.look(stop_after=effects % 4)
        history.do_late()
    ends_whole(history)
    assert history.status.recoveries == 1


def a_drill_that_is_cut_off() -> None:
    """Two machines do not hear that their pods are to end, and their nodes go on; nothing begins before they have."""
    history = opened()
    for name in ("m0", "m1"):
        history.cluster.machines[name].cut = True
    history.start_recovery()
    for _ in range(20):
        history.pass_time(30)
        history.look()
        history.write()
    assert history.status.attempt is None
    assert history.status.reason == "EndingNodes"
    ends_whole(history)
    assert history.status.recoveries == 1


def what_hangs_is_given_up() -> None:
    """Silence proves nothing; a person has the nodes ended, and their ends do."""
    history = opened()
    for pod in history.processes()[:2]:
        history.process(pod.name).frozen = True
    history.pass_time(60)
    look_until(history, lambda: history.status.reason == "QuorumSuspected")
    history.start_recovery()
    look_until(history, lambda: history.status.attempt is not None)
    ends_whole(history)


def it_is_deleted_and_applied_again() -> None:
    """A person says whether the volumes that are found are to be recovered; nothing is started over them unasked."""
    history = opened()
    history.settle()
    history.delete_and_apply()
    history.settle()
    assert (history.status.phase, history.status.reason) == (Phase.BLOCKED, "VolumesFound")
    assert not history.cluster.pods
    history.see_to_the_end(decides=True)
    ends_whole(history)


def it_is_deleted_in_the_middle_of_a_recovery() -> None:
    history = opened()
    kill(history)
    look_until(history, lambda: chosen(history))
    history.delete_and_apply()
    history.see_to_the_end(decides=True)
    ends_whole(history)


def the_status_is_lost_while_all_is_well() -> None:
    """What the nodes and their claims say is enough to go on with."""
    history = opened()
    kill(history)
    ends_whole(history)
    history.write()
    history.settle()
    pods = names(history)
    history.lose_status()
    history.settle()
    assert history.is_whole(), (history.status.phase, history.status.reason, history.status.message)
    assert names(history) == pods
    assert history.status.recoveries == 1
    kill(history)
    ends_whole(history)


def the_status_is_lost_after_a_pod_has_gone() -> None:
    """Nothing tells any more who the node was: members are asked to remove it if it runs nowhere."""
    history = opened()
    gone = names(history)[0]
    history.delete_by_hand(gone)
    look_until(history, lambda: gone not in history.cluster.pods)
    history.lose_status()
    history.pass_time(60)
    ends_whole(history)


def the_status_is_lost_before_anything_was_recovered() -> None:
    """Candidates run of which nobody knows: a person ends them, and adopts what is found."""
    history = opened()
    kill(history)
    look_until(history, lambda: len(history.processes()) == 3)
    history.lose_status()
    ends_with_the_persons_word(history)


def the_status_is_lost_while_members_are_awaited() -> None:
    """They are not hurried: once they have opened the service, it goes on."""
    history = opened()
    kill(history)
    look_until(history, lambda: asked(history))
    history.accept()
    history.submit_shares(reading=5)
    history.lose_status()
    history.look()
    assert (history.status.phase, history.status.reason) == (Phase.BLOCKED, "VolumesFound")
    history.settle()
    assert history.is_whole(), (history.status.phase, history.status.reason, history.status.message)
    assert history.status.recoveries == 1
    kill(history)
    ends_whole(history)


def the_status_is_lost_and_members_do_not_come() -> None:
    history = opened()
    kill(history)
    look_until(history, lambda: asked(history))
    history.lose_status()
    ends_with_the_persons_word(history)


def the_status_is_lost_and_then_all_that_was_opened_since() -> None:
    """The claims speak of the service before: what the volumes hold is read before anything is adopted."""
    history = opened()
    kill(history)
    look_until(history, lambda: asked(history))
    history.accept()
    history.submit_shares()
    commits(history)
    kill(history)
    history.lose_status()
    ends_with_the_persons_word(history)
    assert history.status.recoveries == 2


def believed_gone(history: History, *machines: str) -> None:
    """Nobody hears of machines, and somebody taints them out-of-service; what runs there goes on."""
    for name in machines:
        history.cluster.lose_sight(name)
        history.cluster.give_up(name, deleted=False, lingers=True)


def come_back(history: History, *machines: str) -> None:
    for name in machines:
        history.cluster.hear_again(name)
        history.cluster.take_back(name)


def it_is_written_that_it_is_lost(history: History) -> None:
    """The operator dies before it does anything of that."""
    for _ in range(10):
        if history.status.attempt is None:
            history.look(stop_after=0)
    assert history.status.attempt is not None


def a_service_comes_back_before_anything_was_fenced() -> None:
    history = opened()
    before = names(history)
    believed_gone(history, "m0", "m1")
    it_is_written_that_it_is_lost(history)
    come_back(history, "m0", "m1")
    ends_whole(history)
    assert names(history) == before
    assert [past.result for past in history.status.history] == [AttemptResult.ABANDONED]


def a_node_comes_back_before_its_volumes_candidate_was_made() -> None:
    history = opened()
    believed_gone(history, "m0", "m1")
    it_is_written_that_it_is_lost(history)
    come_back(history, "m1")
    history.cluster.machines["m1"].cut = False
    for _ in range(3):
        history.look()
    ends_whole(history)
    assert history.status.recoveries == 0


def there_are_two_services(of_two: Action = Action.ABORT) -> None:
    """It comes back after the members have opened the other: a person had approved to recover what one volume held."""
    history = opened(trusted=True)
    history.of_two = of_two
    believed_gone(history, "m0", "m1")
    look_until(history, lambda: history.status.attempt is not None)
    history.pass_time(700)
    look_until(history, lambda: history.status.reason == "ApprovalRequired")
    history.decide(Action.APPROVE)
    look_until(history, lambda: asked(history))
    history.accept()
    history.submit_shares()
    come_back(history, "m0", "m1")
    history.pass_time(2)
    history.write()
    history.look()
    assert (history.status.phase, history.status.reason) == (Phase.BLOCKED, "TwoServices")
    history.see_to_the_end(decides=True)
    ends_whole(history)
    assert history.status.recoveries == 1


def a_person_goes_on_with_the_recovered_one() -> None:
    there_are_two_services(Action.APPROVE)


def ends_with_the_persons_word(history: History) -> None:
    """Nothing is started unasked; a person ends what runs and adopts what is found."""
    history.settle()
    assert (history.status.phase, history.status.reason) == (Phase.BLOCKED, "VolumesFound")
    for name in names(history):
        history.delete_by_hand(name)
    history.see_to_the_end(decides=True)
    ends_whole(history)


def _candidates(history: History) -> list[Candidate]:
    assert history.status.attempt is not None
    return history.status.attempt.candidates


def pods_of_a_recovery_never_become() -> None:
    """In whichever state they are stuck: one that has lost its sandbox for ever, what keeps the others is mended."""
    for state in (PodState.ATTACHING, PodState.PULLING, PodState.CREATING, PodState.STAGING, PodState.STAGED):
        history = opened()
        history.cluster.sticks += [state] * 3
        kill(history)
        history.settle()
        assert {one.stage for one in _candidates(history)} == {CandidateStage(state.value)}, state
        ends_whole(history)


def what_keeps_a_candidate_is_mended_after_it_was_given_up() -> None:
    history = opened()
    history.cluster.sticks += [PodState.PULLING] * 6
    kill(history)
    history.settle()
    history.pass_time(601)
    history.settle()
    assert {one.result for one in _candidates(history)} == {CandidateResult.UNREACHABLE}
    ends_whole(history)


def a_corrected_spec_is_taken_up_by_what_never_started() -> None:
    history = opened()
    history.cluster.sticks += [PodState.PULLING] * 3
    kill(history)
    history.settle()
    stuck = {one.node for one in _candidates(history)}
    history.spec = history.spec.model_copy(update={"image": "ccf:corrected"})
    history.settle()
    assert not stuck & {one.node for one in _candidates(history)}
    ends_whole(history)


def the_first_nodes_never_become() -> None:
    """Neither the first node nor a joiner of a new service is waited for for ever."""
    for state in (PodState.ATTACHING, PodState.CREATING, PodState.STAGED):
        history = History(3)
        history.cluster.sticks += [state] * 2
        history.settle()
        history.pass_time(601)
        history.settle()
        assert len(names(history)) == 0, "its second try is stuck as well"
        ends_whole(history)


def a_winner_is_rejected_and_its_end_is_never_reported() -> None:
    """Who waits for it is told how to find out whether it still runs, and what to say where it does not."""
    history = opened(1, trusted=True)
    kill(history, *names(history))
    look_until(history, lambda: chosen(history))
    (winner,) = names(history)
    history.cluster.reject(winner, "NodeAffinity", runs_on=False, reports="never")
    ends_whole(history)


def a_node_is_rejected_that_runs_on() -> None:
    """Clients are not led to it any more, and how it is replaced is told."""
    for nodes in (1, 3):
        history = opened(nodes, trusted=True)
        history.cluster.reject(names(history)[0], "Evicted", runs_on=True, reports="deleted")
        history.settle()
        assert "Evicted" in history.status.message
        assert f"delete pod {names(history)[0]} ;" in history.status.next_step
        ends_whole(history)


def every_claim_is_deleted_in_use_and_two_nodes_die() -> None:
    """Nothing is let go that would take its ledger along; once a person keeps the volumes, all is recovered."""
    history = opened()
    history.delete_claims(*history.cluster.claims, retained=False)
    history.settle()
    assert history.status.phase is Phase.RUNNING
    assert "persistentVolumeReclaimPolicy" in history.status.next_step
    kill(history, *names(history)[:2])
    history.settle()
    assert (history.status.phase, history.status.reason) == (Phase.BLOCKED, Reason.VOLUMES_TAKEN)
    ends_whole(history)
    assert history.cluster.destroyed == []


def pods_are_deleted_that_hold_ledgers() -> None:
    """Their claims are being deleted, too, and with them would go their volumes."""
    history = opened()
    history.delete_claims(*history.cluster.claims, retained=False)
    dead = names(history)[:2]
    kill(history, *dead)
    for name in dead:
        history.delete_by_hand(name)
    history.settle()
    ends_whole(history)
    assert history.cluster.destroyed == []


def claims_are_deleted_whose_volumes_stay() -> None:
    history = opened()
    history.delete_claims(*history.cluster.claims, retained=True)
    kill(history, *names(history)[:2])
    ends_whole(history)


def a_claim_is_deleted_in_the_middle_of_a_recovery() -> None:
    history = opened()
    kill(history, *names(history)[:2])
    look_until(history, lambda: history.status.attempt is not None)
    history.delete_claims(*history.cluster.claims, retained=False)
    history.settle()
    ends_whole(history)
    assert history.cluster.destroyed == []


def a_claim_of_the_name_with_nothing_of_ours_is_put_in_place() -> None:
    """Its volume is another, and it stays unused; the others do."""
    history = opened()
    [name, *_] = sorted(history.cluster.claims)
    history.delete_claims(name, retained=True)
    kill(history, *[pod.name for pod in history.processes() if pod.volume == name])
    look_until(history, lambda: name not in history.cluster.claims)
    history.cluster.released.clear()
    history.cluster.create_claim(name)
    history.cluster.claims[name].machine = "m4"
    kill(history, *names(history)[:1])
    history.settle()
    attempt = history.status.attempt
    assert attempt is not None
    assert {c.result for c in attempt.candidates if c.volume == name} == {CandidateResult.UNREACHABLE}
    assert history.cluster.claims[name].claimed == {}


def recovered_once() -> tuple[History, NetworkStatus]:
    """A network that has come through a recovery and was written to since, and its status from before."""
    history = opened()
    history.settle()
    before = history.status
    kill(history, *names(history)[:2])
    history.see_to_the_end()
    assert history.is_whole(), (history.status.phase, history.status.message)
    commits(history, 5)
    history.settle()
    return history, before


def an_old_status_is_put_back_and_a_recovery_started() -> None:
    """The nodes serve: they are taken up as they are, and the word that was given for the old status is not good."""
    history, before = recovered_once()
    running = set(names(history))
    history.put_back_this(before)
    history.start_recovery()
    history.look()
    assert history.status.decisions[0].state is DecisionState.REFUSED, history.status.decisions[0].message
    assert history.status.service.recovery_count == 1
    ends_whole(history)
    assert set(names(history)) == running
    assert history.status.counters.next_attempt > 2


def an_old_status_is_put_back_when_all_have_ended() -> None:
    """The newest service that the volumes show is recovered, once a person says so."""
    history, before = recovered_once()
    kill(history)
    history.pass_time(5)
    history.put_back_this(before)
    history.start_recovery()
    history.look()
    assert history.status.decisions[0].state is DecisionState.REFUSED
    history.settle()
    assert (history.status.reason, history.status.attempt) == ("StatusOutdated", None)
    history.see_to_the_end(decides=True)
    assert history.is_whole(), (history.status.phase, history.status.reason, history.status.message)
    assert history.status.service.recovery_count == 2
    history.check_nothing_is_lost()
    history.check_is_settled()


def nodes_are_edited_out_of_the_status() -> None:
    history = opened()
    history.settle()
    running = set(names(history))
    edits: tuple[dict[str, object], ...] = (
        {"nodes": []},
        {"volumes": []},
        {"nodes": history.status.nodes[1:]},
        {"service": ServiceStatus()},
    )
    for fields in edits:
        history.edit_status(**fields)
        ends_whole(history)
        assert set(names(history)) == running, fields
        commits(history)


def a_late_pod_is_no_sign_of_an_old_status() -> None:
    """An operator that was held up creates a node that is forgotten: it says itself that it is outside."""
    history = opened()
    kill(history, *names(history)[:2])
    history.look(stop_after=0)
    history.see_to_the_end()
    history.do_late()
    history.pass_time(5)
    ends_whole(history)


ALL: tuple[Story, ...] = (
    every_claim_is_deleted_in_use_and_two_nodes_die,
    pods_are_deleted_that_hold_ledgers,
    claims_are_deleted_whose_volumes_stay,
    a_claim_is_deleted_in_the_middle_of_a_recovery,
    a_claim_of_the_name_with_nothing_of_ours_is_put_in_place,
    an_old_status_is_put_back_and_a_recovery_started,
    an_old_status_is_put_back_when_all_have_ended,
    nodes_are_edited_out_of_the_status,
    a_late_pod_is_no_sign_of_an_old_status,
    a_service_comes_back_before_anything_was_fenced,
    a_node_comes_back_before_its_volumes_candidate_was_made,
    there_are_two_services,
    a_person_goes_on_with_the_recovered_one,
    the_status_is_lost_while_all_is_well,
    the_status_is_lost_after_a_pod_has_gone,
    the_status_is_lost_before_anything_was_recovered,
    the_status_is_lost_while_members_are_awaited,
    the_status_is_lost_and_members_do_not_come,
    the_status_is_lost_and_then_all_that_was_opened_since,
    a_majority_is_killed,
    kubelets_are_cut_off,
    everybody_is_silent,
    the_operator_is_cut_off,
    one_is_recovered_twice,
    a_candidate_hangs,
    a_volume_is_of_an_earlier_service,
    damage_hides_what_was_committed,
    a_primary_appends_in_vain,
    joiners_go_on_before_their_trust_was_seen_committed,
    a_primary_trusts_a_joiner_as_it_is_cut_off,
    the_others_elect_one_that_commits_nothing,
    a_survivor_cannot_be_fenced,
    a_survivor_that_is_needed_cannot_be_fenced,
    it_counts_another_recovery,
    it_names_another_service_before_it,
    it_claims_more_than_its_ledger_holds,
    the_configuration_grew_unseen,
    only_the_one_that_lags_is_left,
    the_ends_of_all_disks_are_lost,
    the_ends_of_all_disks_are_lost_unseen,
    the_ends_of_all_disks_are_lost_and_nobody_says_so,
    an_approval_is_of_what_was_shown,
    a_joiner_lags_behind,
    all_have_joined_when_members_are_asked,
    a_joiner_dies_while_the_ledger_is_read,
    the_winner_cannot_read_its_private_ledger,
    a_ledger_does_not_decrypt,
    nobody_can_read_the_private_ledger,
    members_open_it_unasked_and_it_is_lost,
    an_impostor_answers,
    members_are_slow,
    an_opening_is_seen_before_it_commits,
    the_winner_dies_among_its_joiners,
    opened_and_lost_while_nobody_looked,
    the_winner_dies_before_anybody_was_asked,
    a_retired_node_is_not_hurried,
    a_drill,
    a_drill_whose_operator_dies_at_every_effect,
    a_drill_that_is_cut_off,
    what_hangs_is_given_up,
    it_is_deleted_and_applied_again,
    it_is_deleted_in_the_middle_of_a_recovery,
    pods_of_a_recovery_never_become,
    what_keeps_a_candidate_is_mended_after_it_was_given_up,
    a_corrected_spec_is_taken_up_by_what_never_started,
    the_first_nodes_never_become,
    a_winner_is_rejected_and_its_end_is_never_reported,
    a_node_is_rejected_that_runs_on,
)
