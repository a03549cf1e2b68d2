"""Which nodes a network should have: the first one, joiners, and those that members should trust or remove.

Trust is the members' to give: the operator starts joiners, says what must be decided (`domain.proposals` proposes it
where the operator has a member), and stops a node only when CCF lists it as removable (CCF facts §7).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from ccf_operator.api.status import Command, EndEvidence, NodeRecord, PodState, Verdict, VolumeRecord
from ccf_operator.ccf.actions import remove_node
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.ccf.same_actions import canonical
from ccf_operator.domain.backoff import wait_after
from ccf_operator.domain.candidates import gave_up
from ccf_operator.domain.corrections import REPLACED, is_outdated, is_unbound
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import RemoveNodeRow
from ccf_operator.domain.ends import STAGE_FAILED, may_have_run_unseen
from ccf_operator.domain.joiners import (
    FIRST_WAIT,
    LONGEST_WAIT,
    PLACELESS,
    note_joined,
    plan_joiners,
    stop_failed,
    works,
)
from ccf_operator.domain.made_of import storage_of
from ccf_operator.domain.pod_progress import NOT_STARTED, has_waited_too_long, in_words, may_have_started
from ccf_operator.domain.service import ServiceView
from ccf_operator.domain.suspects import seen_of_pod
from ccf_operator.domain.untold import untold
from ccf_operator.wording import counted

STAGE_BROKE = frozenset({1, 137, 143})
"""Exit codes of `stage` that tell of a disk that failed it, or of an end from outside, and not of what it found."""


@dataclass(frozen=True)
class Governance:
    """What is to be decided about nodes: whom to trust, and whom to remove (CCF node ids), the first before the others.

    `ended` have provably ended; of those that are `spare`, so many could go as are `too_many`.
    """

    trust: tuple[NodeRecord, ...] = ()
    ended: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()
    too_many: int = 0

    @property
    def remove(self) -> tuple[str, ...]:
        """All that should be removed."""
        return (*self.ended, *self.spare[: self.too_many])


def begin(draft: Draft) -> None:
    """Plan the first node of a new service."""
    _plan_start(draft, draft.plan_volume())
    draft.report("Creating", f"starting a service of {counted(draft.seen.spec.nodes, 'node')}")


def _plan_start(draft: Draft, volume: VolumeRecord) -> NodeRecord:
    planned = draft.plan_node(volume, Command.START)
    planned.started_from = _ingredients(draft)
    return planned


def _ingredients(draft: Draft) -> str:
    """Digest of all that a first node is made of; how many follow it and how they are recovered does not matter.

    Nor does what is left at its default: an operator that knows more fields, or other defaults, corrects nothing.
    """
    inputs = draft.seen.inputs
    spec = draft.seen.spec.model_dump(mode="json", exclude={"nodes", "recovery", "governance"}, exclude_defaults=True)
    members = [[m.name, m.certificate, m.encryption_public_key, m.data, m.recovery_role] for m in inputs.members]
    made_of = json.dumps([spec, inputs.constitution, members], sort_keys=True)
    return hashlib.sha256(made_of.encode()).hexdigest()[:16]


def first_node(draft: Draft) -> NodeRecord | None:
    """The last node that was started to make the service."""
    return next((record for record in reversed(draft.status.nodes) if record.command is Command.START), None)


def meet_service(draft: Draft) -> None:
    """Take the service's identity from its first node, once that leads it."""
    service, first = draft.status.service, first_node(draft)
    answers = draft.answers(first) if first is not None and first.stop is None else None
    if service.public_key is not None or answers is None or answers.network is None or answers.consensus is None:
        return
    if answers.consensus.primary_id != answers.node_id:
        return
    service.public_key = answers.network.service_key
    service.certificate = answers.network.service_certificate
    service.status = answers.network.service_status
    service.recovery_count = answers.network.recovery_count
    service.create_tx_id = str(answers.network.create_tx_id) if answers.network.create_tx_id else None


def may_have_served(first: NodeRecord) -> bool:
    """Whether a first node has run until something else ended it: one that gives up by itself has made no service."""
    if first.ended is None:
        return False
    if first.ended.evidence is EndEvidence.NEVER_STARTED:
        return may_have_run_unseen(first.ended)
    return gave_up(first.ended) is None


def retry_start(draft: Draft) -> None:
    """Plan another first node if the last one has made no service, and what it was made of has changed since, or it
    never started and is not waited for any longer.

    Not if it may have served: members may have opened its service, and clients used it, while the operator was away.
    """
    last = first_node(draft)
    if last is None or draft.status.service.public_key is not None or draft.seen.inputs.problems:
        return
    pod = draft.pod(last)
    if may_have_served(last) or (last.ended is None and pod is not None and pod.ccf.running):
        return
    if _is_corrected(draft, last):
        last.stop = last.stop or REPLACED
        _plan_start(draft, _same_volume(draft, last))
    elif _never_starts(draft, last):
        last.stop = last.stop or NOT_STARTED
        why = in_words(last.state) if last.ended is None else last.ended.reason or last.ended.evidence.value
        draft.report("StartFailed", f"{last.name} never started ({why}); another takes its place", warning=True)
        _plan_start(draft, _same_volume(draft, last)).tries = last.tries + 1


def _is_corrected(draft: Draft, first: NodeRecord) -> bool:
    changed = first.started_from is not None and first.started_from != _ingredients(draft)
    return changed or is_outdated(draft, first)


def _never_starts(draft: Draft, first: NodeRecord) -> bool:
    """Whether a first node never started and never will, or is not waited for any longer: each try longer than the one
    before."""
    if first.ended is not None:
        wait = wait_after(first.tries + 1, FIRST_WAIT, LONGEST_WAIT)
        return is_tried_again(first) and draft.now - first.ended.at >= wait
    if may_have_started(first, draft.pod(first)):
        return False
    return _has_lost_its_volume(draft, first) or has_waited_too_long(first, draft.seen.spec.recovery, draft.now)


def is_tried_again(first: NodeRecord) -> bool:
    """Whether another first node follows one that has ended, by itself: it never started, and `stage` did not refuse.

    What `stage` refuses is a volume that shows more than the status knows: no service is started beside that.
    """
    if first.ended is None or first.ended.evidence is not EndEvidence.NEVER_STARTED:
        return False
    return first.ended.reason != STAGE_FAILED or first.ended.exit_code in STAGE_BROKE


def _has_lost_its_volume(draft: Draft, first: NodeRecord) -> bool:
    """Whether its claim is not there any more, or is bound to a machine that does not work."""
    volume = draft.status.volume(first.volume)
    if volume is None or first.pod_uid is None or is_unbound(draft, first.volume):
        return False
    if draft.claim(first.volume) is None:
        return True
    waits = first.state is PodState.UNSCHEDULED and draft.now - first.planned_at > PLACELESS
    return waits and volume.machine is not None and not works(draft, volume.machine)


def _same_volume(draft: Draft, last: NodeRecord) -> VolumeRecord:
    """The volume of a node that provably never started and that nothing is wrong with, or a new one."""
    volume, claim, ended = draft.status.volume(last.volume), draft.claim(last.volume), last.ended
    if volume is None or ended is None or ended.evidence is not EndEvidence.NEVER_STARTED:
        return draft.plan_volume()
    if ended.reason == STAGE_FAILED and (last.tries + 1).bit_count() == 1:  # seldom, for it may not be the volumes
        return draft.plan_volume()
    if volume.storage not in (None, storage_of(draft.seen.spec)):
        return draft.plan_volume()
    there = is_unbound(draft, volume.name) or (claim is not None and not claim.deleting and claim.phase == "Bound")
    return volume if there and (volume.machine is None or works(draft, volume.machine)) else draft.plan_volume()


def want_nodes(draft: Draft, view: ServiceView) -> Governance:
    """Bring the number of nodes to what the spec wants, as far as that is the operator's; say what is the members'."""
    target = next((record for record in draft.status.nodes if record.name == view.primary), None)
    leader = view.leader
    if target is None or leader is None or draft.status.service.certificate is None:
        return Governance()
    active = frozenset[str]().union(*(config.nodes for config in view.configs))
    _stop_removable(draft, leader, target)
    told = active - untold(draft, view)
    stop_failed(draft, _joining(draft, leader, told), told)
    _let_go_of_the_gone(draft, active)
    trusted = view.configs[-1].nodes if view.configs else frozenset()
    living = [node for node in trusted if (r := draft.by_node_id(node)) is not None and r.ended is None]
    strangers = sum(draft.by_node_id(node) is None for node in trusted)
    joiners = [r for r in _joining(draft, leader, trusted) if r.ended is None and r.stop is None]
    missing = draft.seen.spec.nodes - len(living) - strangers - len(joiners)
    if missing > 0:
        plan_joiners(draft, missing, target, draft.status.service.certificate, None)
    else:
        _stop_spare(joiners, strangers, draft.seen.spec.nodes - len(living))
    return _governance(draft, view, leader, joiners)


def _stop_spare(joiners: list[NodeRecord], strangers: int, wanted: int) -> None:
    """Stop the newest joiners beyond the number wanted.

    A joiner that has not said its node id yet may be one of the trusted nodes that nobody on record is (`strangers`): a
    new service trusts a joiner before the operator has heard of it. Such a one is neither counted twice nor stopped.
    """
    nameless = sum(record.node_id is None for record in joiners)
    spare = len(joiners) - nameless + max(nameless, strangers) - wanted
    stoppable = [record for record in joiners if record.node_id is not None or not strangers]
    for record in sorted(stoppable, key=lambda r: r.planned_at, reverse=True)[: max(0, spare)]:
        record.stop = "NotNeeded"


def _joining(draft: Draft, leader: NodeAnswers, trusted: frozenset[str]) -> list[NodeRecord]:
    """Nodes on their way into the service; one that is on its way out still counts in a quorum (CCF facts §7.2)."""
    retired = {row.node_id for row in leader.nodes if row.status == "Retired"}
    return [
        record
        for record in draft.status.nodes
        if record.command is Command.JOIN
        and record.attempt is None
        and record.joined_at is None
        and record.node_id not in trusted
        and record.node_id not in retired
    ]


def _stop_removable(draft: Draft, leader: NodeAnswers, target: NodeRecord) -> None:
    """End nodes that are completely retired, then have their rows deleted; some may be forgotten already."""
    for node in sorted(leader.removable):
        record = draft.by_node_id(node)
        if record is None or record.ended is not None:
            draft.do(RemoveNodeRow(through=target.name, node_id=node))
        elif record.stop is None:
            record.stop = "Retired"
            draft.report("NodeRetired", f"the members have removed {record.name}; stopping it")


def _let_go_of_the_gone(draft: Draft, active: frozenset[str]) -> None:
    """The pod of a node that has ended is kept as long as it is part of the service, and no longer."""
    for record in draft.status.nodes:
        if record.ended is not None and record.stop is None and record.node_id not in active:
            record.stop = "Gone"


def _governance(draft: Draft, view: ServiceView, leader: NodeAnswers, joiners: list[NodeRecord]) -> Governance:
    trusted = view.configs[-1].nodes if view.configs else frozenset()
    status = {row.node_id: row.status for row in leader.nodes}
    trust = tuple(r for r in joiners if r.stop is None and r.node_id is not None and status.get(r.node_id) == "Pending")
    dead = [node for node in sorted(trusted) if (r := draft.by_node_id(node)) is not None and r.ended is not None]
    too_many = max(0, len(trusted) - len(dead) - draft.seen.spec.nodes)
    return Governance(trust, tuple(dead), tuple(_spare(draft, view, trusted)), too_many)


def _spare(draft: Draft, view: ServiceView, trusted: frozenset[str]) -> list[str]:
    """Living nodes that could go, the first before the others; never the primary.

    One whose removal the operator's member has proposed stays the first, whoever is silent on this look, so that
    members are not asked for one after the other. Else one that is silent goes first, for it may have died unseen, and
    then the newest.
    """
    proposed = _proposed_by_the_operator(draft)
    could_go = {
        record.node_id: (record.name not in view.members, record.planned_at, record.name)
        for record in draft.alive()
        if record.node_id is not None and record.node_id in trusted and record.name != view.primary
    }
    return sorted(could_go, key=lambda node: (canonical(remove_node(node)) in proposed, could_go[node]), reverse=True)


def _proposed_by_the_operator(draft: Draft) -> set[str]:
    """Actions of the open proposals of the operator's member, as `canonical` has them."""
    own, said = draft.seen.operator_member, draft.seen.governance
    proposals = said.proposals if said is not None else ()
    return {
        canonical(action)
        for one in proposals
        if own is not None and one.proposer_id == own.member_id
        for action in one.actions
    }


def keep_fitness(draft: Draft, view: ServiceView) -> None:
    """Which nodes may serve clients, and which have joined: part of an agreed quorum, caught up, application open.

    A node that is silent while no quorum is seen stays as it was until the loss is proven: the doubt may be the
    operator's own, and its clients' the harm.
    """
    leader = view.leader
    trusted = view.configs[-1].nodes if view.configs else frozenset()
    for record in draft.alive():
        answers = view.members.get(record.name)
        if leader is None:
            record.fit = record.fit and not _is_unfit_without_leader(draft, answers)
            continue
        if answers is None or answers.consensus is None:
            record.fit = False
            continue
        follows = answers.consensus.primary_id == leader.node_id and answers.consensus.membership == "Active"
        member = record.node_id in trusted and follows
        if member:
            note_joined(draft, record, leader)
        service_open = answers.network is not None and answers.network.service_status == "Open"
        reported = seen_of_pod(record, draft.pod(record)) is None  # Services leave out pods in a final phase
        record.fit = bool(member and answers.ready_app and service_open and reported)


def _is_unfit_without_leader(draft: Draft, answers: NodeAnswers | None) -> bool:
    verdict = draft.status.quorum.verdict
    return verdict is Verdict.LOST or (verdict is Verdict.SUSPECTED and answers is not None)
