"""What must hold of a network at every moment of its history: the rules of DESIGN §3, by the numbers in the names.

Some rules are held by the models themselves: `kubernetes_model` refuses a candidate on a volume that somebody writes to
(rule 3) and a generation that is given twice (rules 4 and 11).
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import TYPE_CHECKING

from ccf_operator.api.status import (
    Attempt,
    AttemptPhase,
    AttemptResult,
    CandidateResult,
    Command,
    EndEvidence,
    NetworkStatus,
    NodeRecord,
    Winner,
)
from ccf_operator.api.volume_facts import read_facts
from ccf_operator.domain.ends import BY_WORD, may_have_run_unseen
from ccf_operator.domain.identity import IdentityView
from ccf_operator.domain.reasons import Reason
from ccf_operator.domain.starting import STARTED
from ccf_operator.domain.txid import TxID
from ccf_operator.render.labels import RECOVERY_FACTS
from unit.simulation.ccf_model import (
    OPEN,
    WAITING,
    Entry,
    Process,
    created_at,
    digest,
    end_of,
    has_opened,
    majority_of,
    previous_service,
    read_lineage,
    recoveries_in,
    service_of,
    status_of,
)
from unit.simulation.kubernetes_model import Violation

if TYPE_CHECKING:
    from unit.simulation.history import History

_SEEN_BY_THE_KUBELET = frozenset({EndEvidence.CONTAINER_TERMINATED, EndEvidence.NEVER_STARTED})


class Invariants:
    """Checks of one history; they remember what they need of its past."""

    def __init__(self) -> None:
        self._winners: dict[int, Winner] = {}
        self._attempt: Attempt | None = None
        self._opened: dict[str, int] = {}
        """How many recoveries led to each service that was ever open."""
        self._committed: dict[str | None, set[TxID]] = {}
        """What each service committed while it was open, by its key."""
        self._seen_commit: dict[str, int] = {}
        self._nodes: dict[str, NodeRecord] = {}
        self._ancestors: dict[tuple[str, int], list[list[Entry]]] = {}
        self._claims: set[tuple[str, str]] = set()
        self._said_gone: set[str] = set()
        """Nodes of which somebody says that they run no more, and which the operator has not heard since."""
        self._heard_on: dict[str, str] = {}
        """As which Kubernetes Node the machine was known on which a node was last heard."""
        self._given_up: set[str] = set()
        """Keys of services that a person has given up where there were two."""
        self._forgone: set[str] = set()
        """Keys of services that a person has had recovered although something might be missing then."""

    def forget_status(self, instead: NetworkStatus | None = None) -> None:
        """The status is gone, with the attempt that was in it; `instead`: another takes its place."""
        self._winners.clear()
        self._nodes = {record.name: record for record in instead.nodes} if instead is not None else {}
        self._attempt = None

    def start_over(self) -> None:
        """All that there was is lost, and given up: the next service is the first."""
        self._opened = dict.fromkeys(self._opened, -1)

    def note_committed(self, service: str, tx_id: TxID) -> None:
        """What a service has committed that was never seen here."""
        self._committed.setdefault(service, set()).add(tx_id)

    def check(self, history: History) -> None:
        """At any moment."""
        self._note_what_was_opened(history)
        self._note_what_was_committed(history)
        self.rule_4_ancestors_stay_as_they_are(history)
        self.rule_8_the_winner_has_all_that_was_committed(history)
        self.rule_9_the_mark_was_committed_by_the_open_service(history)
        self.rule_10_one_service_is_offered_and_opened(history)
        self.rule_16_no_claim_goes_by_the_operator(history)

    def check_written(self, history: History) -> None:
        """Whenever the operator has written the status, before it does anything."""
        self.blocked_names_its_cause_and_its_door(history)
        self._note_what_was_said(history)
        self._note_what_was_opened(history)
        self._note_what_was_committed(history)
        self.rule_1_attempts_follow_one_another(history)
        self._note_what_was_given_up(history)
        self.rule_2_who_is_said_to_have_ended_has(history)
        self.rule_5_all_candidates_start_at_once(history)
        self.rule_6_results_are_what_they_seem(history)
        self.rule_7_the_greatest_is_chosen_view_first(history)
        self.rule_10_two_open_services_are_told(history)
        self.rule_11_joiners_count_when_they_have_caught_up_and_come_before_the_shares(history)
        self.rule_12_open_is_what_has_opened(history)
        self.rules_13_15_a_living_network_is_waited_for(history)
        self.rules_14_17_lineages_are_of_open_services_and_whole(history)
        self.rule_18_a_node_is_who_it_was(history)
        self._attempt = history.status.attempt
        self._nodes = {record.name: record for record in history.status.nodes}

    # The attempt

    def rule_1_attempts_follow_one_another(self, history: History) -> None:
        before, now = self._attempt, history.status.attempt
        if before is None or (now is not None and now.number == before.number):
            return
        if before.number not in {past.number for past in history.status.history}:
            raise Violation(f"attempt {before.number} is gone, and nobody has ended it")
        if now is not None and now.number < before.number:
            raise Violation(f"attempt {now.number} follows attempt {before.number}")

    def rule_2_who_is_said_to_have_ended_has(self, history: History) -> None:
        if history.status.outdated is not None:
            return  # what it says is left as it is, and nothing is decided from it
        taken = _by_word(history.status) & history.ccf.processes.keys()
        if heard := taken - self._said_gone - _ended(history):
            raise Violation(f"{heard} are taken for gone, and were heard since somebody said so, or nobody has")
        for record in history.status.nodes:
            if record.ended is None or record.ended.evidence not in _SEEN_BY_THE_KUBELET:
                continue
            if may_have_run_unseen(record.ended):
                continue  # it counts as one that may live
            process = history.ccf.processes.get(record.name)
            if process is not None and process.alive and record.ended.reason != "NeverCreated":
                raise Violation(f"{record.name} is said to have ended, and runs")

    def rule_2_nothing_needed_is_ended(self, history: History, name: str, uid: str, known: NetworkStatus) -> None:
        """Nobody ends a node that a service with clients could still need, but by a person's word about that one.

        `known` is the status on which it was decided.
        """
        pod = history.cluster.pods.get(name)
        process = pod.process if pod is not None and pod.uid == uid else None
        if process is None or not process.alive or not process.log or history.deleting:
            return
        key = service_of(process.log)
        log = process.log[: process.commit]
        if status_of(log) != OPEN or service_of(log) != key or key in self._given_up:
            return
        record = history.status.node(name)
        if key in history.given_up and record is not None and record.stop == STARTED:
            return
        if process.node_id in _needed(history, key) and _could_go_on(history, key, _by_word(known)):
            raise Violation(f"{name} is ended although its service could go on")

    def rule_2_nothing_is_released_that_runs(self, history: History, name: str, uid: str, known: NetworkStatus) -> None:
        pod = history.cluster.pods.get(name)
        if pod is None or pod.uid != uid or history.deleting:
            return
        record = known.node(name)
        if record is not None and record.ended is not None and may_have_run_unseen(record.ended):
            return  # its kubelet ends what it may have started, and it counts as one that may live
        if pod.process is not None and pod.process.alive and name not in _by_word(known):
            raise Violation(f"{name} is released while it runs")

    def _note_what_was_said(self, history: History) -> None:
        """Somebody's word that a machine is gone is good until what runs there is heard.

        Then it was wrong, and to be silent once more is no proof of anything.
        """
        for pod in history.cluster.pods_and_orphans():
            machine = history.cluster.machines.get(pod.machine or "")
            if machine is None:
                continue
            if history.hears(pod):
                self._said_gone.discard(pod.name)
                self._heard_on[pod.name] = machine.uid
            elif machine.given_up or machine.uid != self._heard_on.get(pod.name, machine.first_uid):
                self._said_gone.add(pod.name)

    def is_forgone(self, leader: Process) -> bool:
        """Whether nobody hears of a node of a service that was recovered with a loss that a person has approved."""
        return leader.pod in self._said_gone and service_of(leader.log) in self._forgone

    def may_part(self, history: History) -> bool:
        """Whether there may be two services: one that came back after a person had approved to recover without it."""
        attempt, status = history.status.attempt, history.status
        chosen = attempt is not None and attempt.winner is not None and attempt.base_service in self._forgone
        lost = status.unsettled is not None or status.doubted is not None
        return chosen or (lost and bool(self._forgone))

    def _note_what_was_given_up(self, history: History) -> None:
        """With one of two services a person gives up what it alone has committed, having been told so."""
        before, now = self._attempt, history.status.attempt
        if before is None or (now is not None and now.number == before.number):
            if now is not None and now.given_up:
                self._given_up.add(now.base_service)
            return
        past = next((past for past in history.status.history if past.number == before.number), None)
        if past is None:
            return
        if past.result is AttemptResult.SUCCEEDED:
            kept = history.status.service.public_key
            told = history.status.service.approved_loss is not None
            self._given_up |= {before.base_service} if told else set()
        elif before.reason == Reason.TWO_SERVICES:
            recovered = before.winner.public_key if before.winner is not None else before.base_service
            self._given_up.add(recovered)
            kept, told = history.status.service.public_key, True
        elif before.reason == Reason.MAY_HAVE_OPENED and past.approval is not None:
            self._given_up.add(before.base_service)
            kept, told = history.status.service.public_key, bool(past.approval.possible_loss)
        else:
            return
        self._forget_what_is_not_in(history, kept, told)

    def _forget_what_is_not_in(self, history: History, kept: str | None, told: bool) -> None:
        logs = [p.log for p in history.ccf.processes.values() if service_of(p.log) == kept]
        log = max(logs, key=end_of)
        for seqno, entry in list(history.committed.items()):
            if len(log) < seqno or log[seqno - 1] != entry:
                if not told:
                    raise Violation(f"{entry.what} at {seqno} is given up, and nobody was told")
                del history.committed[seqno]

    def blocked_names_its_cause_and_its_door(self, history: History) -> None:
        outdated = history.status.outdated
        if outdated is not None and not (outdated.evidence and history.status.next_step):
            raise Violation("the status is out of date, and it is not said why, or what to do")

    # What is written besides the status

    def nothing_older_is_written(self, history: History, volume: str, facts: str, status: NetworkStatus) -> None:
        """No older fact takes the place of a newer one, but by a person's decision."""
        claim = history.cluster.claims.get(volume)
        before = read_facts(claim.annotations.get(RECOVERY_FACTS)) if claim is not None else None
        after = read_facts(facts)
        if before is None or after is None or status.adopted is not None or before.network_uid != after.network_uid:
            return
        if after.recovery_count < before.recovery_count:
            raise Violation(f"what is said of {volume} is older than what was said of it")

    def clients_are_told_nothing_older(
        self, before: IdentityView | None, after: IdentityView, status: NetworkStatus
    ) -> None:
        if before is not None and after.recovery_count < before.recovery_count and status.adopted is None:
            raise Violation("clients are told of an older service")

    # Candidates

    def rule_4_ancestors_stay_as_they_are(self, history: History) -> None:
        """What a candidate reads is the same as long as it runs."""
        for name, claim in history.cluster.claims.items():
            for generation, node in claim.claimed.items():
                process = history.ccf.processes.get(node)
                if process is None or not process.alive or not claim.lineages[generation]:
                    continue
                now = [claim.generations[n].entries for n in claim.lineages[generation]]
                known = self._ancestors.setdefault((name, generation), [list(entries) for entries in now])
                if now != known:
                    raise Violation(f"the ledger that {node} reads on {name} has been changed")

    def rule_5_all_candidates_start_at_once(self, history: History) -> None:
        """Only a volume that is not fenced yet is waited for."""
        status, attempt = history.status, history.status.attempt
        if attempt is None or attempt.winner is not None or status.outdated is not None:
            return
        known = {record.name for record in status.nodes}
        for candidate in attempt.candidates:
            if candidate.node is not None or candidate.result is not None or candidate.retry_at is not None:
                continue
            used = any(r.volume == candidate.volume and r.ended is None for r in status.nodes)
            strangers = any(p.volume == candidate.volume and p.name not in known for p in history.cluster.pods.values())
            if not used and not strangers and candidate.volume in history.cluster.claims:
                raise Violation(f"{candidate.volume} is fenced and has no candidate")

    def rule_6_results_are_what_they_seem(self, history: History) -> None:
        attempt = history.status.attempt
        for candidate in attempt.candidates if attempt is not None else ():
            process = history.ccf.processes.get(candidate.node or "")
            if attempt is None or process is None or candidate.result is not CandidateResult.RECOVERED:
                continue
            log = process.log
            made = created_at(log)
            assert made is not None
            if process.partial:
                raise Violation(f"{candidate.volume} counts as recovered, but is damaged")
            if process.lie:
                raise Violation(f"{candidate.volume} counts as recovered, but it lies")
            if previous_service(log) != attempt.base_service or recoveries_in(log) != attempt.base_recovery_count + 1:
                raise Violation(f"{candidate.volume} counts as recovered, but is of another service")
            if candidate.tx_id != str(end_of(log[: made.seqno - 1])):
                raise Violation(f"{candidate.volume} has recovered something else than {candidate.tx_id}")

    # The choice

    def rule_7_the_greatest_is_chosen_view_first(self, history: History) -> None:
        attempt = history.status.attempt
        if attempt is None or attempt.winner is None or attempt.winner.node in self._chosen_nodes():
            return
        found = [TxID.parse(c.tx_id or "") for c in attempt.candidates if c.result is CandidateResult.RECOVERED]
        if attempt.pinned is None and TxID.parse(attempt.winner.tx_id) != max(found):
            raise Violation(f"{attempt.winner.tx_id} is chosen, where there is {max(found)}")

    def _chosen_nodes(self) -> set[str]:
        return {winner.node for winner in self._winners.values()}

    def rule_8_the_winner_has_all_that_was_committed(self, history: History) -> None:
        """It is written once, and holds all that clients saw committed, but for what a person has approved to miss."""
        attempt = history.status.attempt
        if attempt is None:
            return
        known = self._winners.get(attempt.number)
        if known is not None and attempt.winner != known:
            raise Violation(f"the winner of attempt {attempt.number} was {known.node}, now {attempt.winner}")
        if attempt.winner is None or known is not None:
            return
        self._winners[attempt.number] = winner = attempt.winner
        log = history.ccf.processes[winner.node].log
        lost = [n for n, entry in history.committed.items() if len(log) < n or log[n - 1] != entry]
        if lost and (attempt.approval is None or not attempt.approval.possible_loss):
            raise Violation(f"{winner.node} is chosen without {history.committed[lost[0]].what} at {lost[0]}")
        if attempt.approval is not None and attempt.approval.possible_loss:
            self._forgone.add(attempt.base_service)
        for seqno in lost:
            del history.committed[seqno]

    def _note_what_was_committed(self, history: History) -> None:
        for process in history.ccf.processes.values():
            seen = self._seen_commit.get(process.pod, 0)
            if process.alive and process.commit > seen:
                log = process.log[: process.commit]
                if status_of(log) == OPEN:
                    known = self._committed.setdefault(service_of(log), set())
                    known |= {TxID(e.view, n) for n, e in enumerate(log, 1) if n > seen}
                    self._seen_commit[process.pod] = process.commit

    def rule_9_the_mark_was_committed_by_the_open_service(self, history: History) -> None:
        mark = history.status.high_water_mark
        if mark is not None and TxID.parse(mark.tx_id) not in self._committed.get(mark.service, set()):
            raise Violation(f"the service never committed its high-water mark {mark.tx_id}")

    def rule_10_one_service_is_offered_and_opened(self, history: History) -> None:
        """While members are asked no candidate runs but the winner."""
        attempt = history.status.attempt
        if attempt is None or attempt.winner is None or attempt.phase is not AttemptPhase.AWAITING_MEMBERS:
            return
        for pod in history.processes():
            of_it = pod.record.attempt == attempt.number and pod.record.command is Command.RECOVER
            if of_it and pod.name != attempt.winner.node:
                raise Violation(f"members are asked while {pod.name} runs beside the winner")

    def rule_10_two_open_services_are_told(self, history: History) -> None:
        """Where clients may use either of two, the status says so and what to do; or a person has given up one."""
        attempt = history.status.attempt
        if attempt is None or attempt.winner is None or attempt.given_up:
            return
        if all(_serves(history, key) for key in (attempt.base_service, attempt.winner.public_key)):
            told = attempt.reason == Reason.TWO_SERVICES and attempt.token in history.status.next_step
            if not told and history.status.outdated is None:
                raise Violation(f"two services are open, and the status says {history.status.reason}")

    def _note_what_was_opened(self, history: History) -> None:
        """Of the services recovered from one, no two are ever opened."""
        for process in history.ccf.processes.values():
            committed = process.log[: process.commit]
            key = service_of(committed)
            if key is None or status_of(committed) != OPEN or key in self._opened:
                continue
            rivals = {other for other, count in self._opened.items() if count == recoveries_in(committed)}
            if {rival for rival in rivals - self._given_up if not _was_told_of(history, rival)}:
                raise Violation(f"{key[:8]} is the second service that was opened after so many recoveries")
            self._opened[key] = recoveries_in(committed)

    # After the choice

    def rule_11_joiners_count_when_they_have_caught_up_and_come_before_the_shares(self, history: History) -> None:
        for record in history.status.nodes:
            before, process = self._nodes.get(record.name), history.ccf.processes.get(record.name)
            if record.joined_at is not None and (before is None or before.joined_at is None) and process is not None:
                leader = history.ccf.leader(service_of(process.log))
                if not process.log or (leader is not None and len(process.log) < leader.commit):
                    raise Violation(f"{record.name} counts as joined, and lags behind")
            if before is None and record.command is Command.JOIN and record.attempt is not None:
                winner = history.status.attempt.winner if history.status.attempt is not None else None
                key = winner.public_key if winner is not None else None
                if any(p.reading and p.alive and service_of(p.log) == key for p in history.ccf.processes.values()):
                    raise Violation(f"{record.name} is to join while the private ledger is being read")

    def rule_12_open_is_what_has_opened(self, history: History) -> None:
        service = history.status.service
        if service.opened_at is not None and not self._may_have_opened(history, service.public_key):
            raise Violation(f"{service.public_key} counts as open, and never was")

    def _may_have_opened(self, history: History, key: str | None) -> bool:
        """It has, or a ledger says so, which may be the one that decides."""
        logs = (process.log for process in history.ccf.processes.values())
        return key in self._opened or any(service_of(log) == key and has_opened(log) for log in logs)

    def rules_13_15_a_living_network_is_waited_for(self, history: History) -> None:
        """A recovered network is given up only if its quorum is gone, or where CCF cannot open it any more."""
        before, now = self._attempt, history.status.attempt
        if before is None or before.winner is None or (now is not None and now.number == before.number):
            return
        ended = next((past for past in history.status.history if past.number == before.number), None)
        if ended is None or ended.result is not AttemptResult.SUPERSEDED:
            return
        key = before.winner.public_key
        if history.status.service.public_key == key:
            return  # the status was out of date: it is open by now, and taken up as it is
        mine = _fellows(history, key, self._said_gone)
        dead_end = any(p.decrypted for p in mine) and any(status_of(p.log) == WAITING for p in mine)
        if mine and _could_go_on(history, key, self._said_gone) and not dead_end:
            raise Violation(f"attempt {before.number} is given up ({ended.message}), but its network lives")

    def rules_14_17_lineages_are_of_open_services_and_whole(self, history: History) -> None:
        """What an attempt made that was not opened is no part of a lineage; each can be recovered by itself."""
        for volume in history.status.volumes:
            claim = history.cluster.claims.get(volume.name)
            if claim is None or claim.uid != volume.uid or not volume.lineage or claim.foreign:
                continue
            if any(generation not in claim.generations for generation in volume.lineage):
                continue
            log = read_lineage(claim.generations[generation] for generation in volume.lineage)
            if log is None:
                raise Violation(f"{volume.name} {volume.lineage} does not hold a ledger from its beginning")
            key = service_of(log)
            if key is not None and recoveries_in(log) > 0 and not self._may_have_opened(history, key):
                raise Violation(f"{volume.name} {volume.lineage} is of a service that was never opened")

    # Volumes and trust

    def rule_16_no_claim_goes_by_the_operator(self, history: History) -> None:
        there = {(name, claim.uid) for name, claim in history.cluster.claims.items()}
        if gone := self._claims - there - history.lost_claims:
            raise Violation(f"claims are gone: {gone}")
        self._claims |= there

    def rule_18_a_node_is_who_it_was(self, history: History) -> None:
        for record in history.status.nodes:
            if record.node_id not in (None, digest(record.name)):
                raise Violation(f"{record.name} is taken for another node")
            before = self._nodes.get(record.name)
            if before is not None and before.node_id is not None and record.node_id is None:
                raise Violation(f"it is forgotten who {record.name} is")


def rules_checked() -> set[int]:
    """The numbers of the rules that the checks are about."""
    named = (name for name in vars(Invariants) if name.startswith("rule"))
    return {int(number) for name in named for number in re.findall(r"_(\d+)(?=_)", name)}


def _serves(history: History, key: str) -> bool:
    """Whether a service is open on a quorum, all of which the operator hears."""
    leader = history.ccf.leader(key)
    if leader is None or status_of(leader.log[: leader.commit]) != OPEN:
        return False
    heard = {
        pod.process.node_id
        for pod in history.cluster.pods.values()
        if pod.process is not None and history.hears(pod) and pod.process.primary == leader.node_id
    }
    return leader.node_id in heard and all(majority_of(nodes, heard) for _, nodes in leader.active())


def _was_told_of(history: History, key: str) -> bool:
    """Whether a person has approved to recover in the knowledge that this service had been opened."""
    status = history.status
    approvals = [status.attempt.approval if status.attempt is not None else None]
    approvals += [past.approval for past in status.history]
    return any(key[:8] in text for given in approvals if given is not None for text in given.possible_loss)


def _by_word(status: NetworkStatus) -> Set[str]:
    """Nodes that are on record as ended because somebody has said so."""
    return {record.name for record in status.nodes if record.ended is not None and record.ended.evidence in BY_WORD}


def _ended(history: History) -> Set[str]:
    return {pod for pod, process in history.ccf.processes.items() if not process.alive}


def _fellows(history: History, key: str | None, said_gone: Set[str] = frozenset()) -> list[Process]:
    found = history.ccf.processes.values()
    return [p for p in found if p.alive and p.pod not in said_gone and service_of(p.log) == key]


def _newest(history: History, key: str | None) -> Process | None:
    return max(_fellows(history, key), key=lambda p: end_of(p.log), default=None)


def _needed(history: History, key: str | None) -> frozenset[str]:
    newest = _newest(history, key)
    return frozenset[str]().union(*(nodes for _, nodes in newest.active())) if newest is not None else frozenset()


def _could_go_on(history: History, key: str | None, said_gone: Set[str]) -> bool:
    """Whether those that run could form a majority of every configuration in which one is needed."""
    newest = _newest(history, key)
    alive = {p.node_id for p in _fellows(history, key, said_gone)}
    return newest is not None and all(majority_of(nodes, alive) for _, nodes in newest.active())
