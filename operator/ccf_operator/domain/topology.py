"""Which nodes a network should have: the first one, joiners, and those that members should trust or remove.

Trust is the members' to give: the operator starts joiners, says what members must decide, and stops a node only when
CCF lists it as removable (CCF facts §7).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from ccf_operator.api.status import CandidateResult, Command, NodeRecord, Verdict, VolumeRecord
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import RemoveNodeRow
from ccf_operator.domain.service import ServiceView
from ccf_operator.render import names
from ccf_operator.render.labels import NETWORK_UID

JOINER_BACKOFF = timedelta(seconds=15)
"""Least time between the end of a joiner and the start of the next: a refused one aborts at once (CCF facts §7.1)."""


@dataclass(frozen=True)
class Governance:
    """What members should decide about nodes, as names of nodes and their CCF node ids."""

    trust: tuple[NodeRecord, ...] = ()
    remove: tuple[str, ...] = ()


def foreign_claims(draft: Draft) -> tuple[str, ...]:
    """Volumes that bear this network's name but that its status does not know: ledgers of an earlier life."""
    known = {volume.name for volume in draft.status.volumes}
    return tuple(sorted(name for name in draft.seen.claims if name not in known))


def begin(draft: Draft) -> None:
    """Plan the first node of a new service."""
    for claim in draft.seen.claims.values():
        if claim.labels.get(NETWORK_UID) == draft.seen.uid:
            number = names.volume_counter(claim.name, draft.seen.name, draft.seen.uid)
            draft.status.counters.next_volume = max(draft.status.counters.next_volume, (number or -1) + 1)
    draft.plan_node(draft.plan_volume(), Command.START)
    draft.report("Creating", f"starting a service of {draft.seen.spec.nodes} node(s)")


def meet_service(draft: Draft) -> None:
    """Take the service's identity from its first node, at the first contact."""
    service = draft.status.service
    if service.public_key is not None:
        return
    for record in draft.status.nodes:
        answers = draft.answers(record) if record.command is Command.START else None
        if answers is None or answers.network is None or answers.state is None:
            continue
        service.public_key = answers.network.service_key
        service.certificate = answers.network.service_certificate
        service.status = answers.network.service_status
        service.recovery_count = answers.network.recovery_count
        service.create_tx_id = str(answers.network.create_tx_id) if answers.network.create_tx_id else None
        return


def retry_start(draft: Draft) -> bool:
    """Plan another first node if the last one ended before it made a service and the spec has changed since."""
    starts = [record for record in draft.status.nodes if record.command is Command.START]
    if not starts or draft.status.service.public_key is not None or draft.status.observed_generation is None:
        return False
    if draft.status.observed_generation == draft.seen.generation:
        return False
    last = starts[-1]
    if last.stop is None and (pod := draft.pod(last)) is not None and pod.ccf.running:
        return False
    last.stop = "Replaced"
    draft.plan_node(draft.plan_volume(), Command.START)
    return True


def free_volumes(draft: Draft) -> Iterator[VolumeRecord]:
    """Volumes a joiner can write on: every node that ever used them has ended, on a machine that was seen to work.

    The ledger of a dead node that is still part of the configuration is left alone: a recovery may need it. So is a
    volume last used on a machine that another node holds: it may be bound to that machine.
    """
    attempt = draft.status.attempt
    unreachable = {
        candidate.volume
        for candidate in (attempt.candidates if attempt else [])
        if candidate.result in (CandidateResult.UNREACHABLE, CandidateResult.TIMED_OUT)
    }
    needed = set(draft.status.configuration.nodes) if draft.status.configuration and attempt is None else set()
    held = {record.volume for record in draft.alive()}
    taken = {volume.machine for volume in draft.status.volumes if volume.name in held and volume.machine is not None}
    for volume in draft.status.volumes:
        claim = draft.seen.claims.get(volume.name)
        if volume.machine in taken:
            continue
        if claim is None or claim.deleting or volume.name in unreachable:
            continue
        users = list(draft.on_volume(volume.name))
        if any(record.node_id in needed for record in users):
            continue
        if any(record.ended is None for record in users):
            continue
        if any(record.ended and record.ended.evidence.value.startswith("Machine") for record in users):
            continue
        yield volume


def plan_joiner(draft: Draft, target: NodeRecord, certificate: str, attempt: int | None) -> NodeRecord:
    """A joiner of the service with this certificate, on a volume that is free or a new one, in an empty generation."""
    volume = next(free_volumes(draft), None) or draft.plan_volume()
    address = names.address(
        target.name, draft.seen.name, draft.seen.namespace, draft.seen.cluster_domain, names.CLIENT_PORT
    )
    return draft.plan_node(
        volume,
        Command.JOIN,
        attempt=attempt,
        join_target=target.name,
        join_address=address,
        service_certificate=certificate,
    )


def want_nodes(draft: Draft, view: ServiceView) -> Governance:
    """Bring the number of nodes to what the spec wants, as far as that is the operator's; say what is the members'."""
    target = next((record for record in draft.status.nodes if record.name == view.primary), None)
    leader = view.leader
    if target is None or leader is None or draft.status.service.certificate is None:
        return Governance()
    _stop_removable(draft, leader, target)
    _stop_refused(draft)
    trusted = view.configs[-1].nodes if view.configs else frozenset()
    living = [node for node in trusted if (r := draft.by_node_id(node)) is None or r.ended is None]
    joiners = [r for r in draft.alive() if r.command is Command.JOIN and r.stop is None and r.node_id not in trusted]
    wanted = draft.seen.spec.nodes
    missing = wanted - len(living) - len(joiners)
    if missing > 0 and not _backs_off(draft):
        for _ in range(missing):
            plan_joiner(draft, target, draft.status.service.certificate, None)
    elif missing < 0:
        for record in sorted(joiners, key=lambda r: r.planned_at, reverse=True)[:-missing]:
            record.stop = "NotNeeded"
    return _governance(draft, leader, trusted, joiners)


def _stop_removable(draft: Draft, leader: NodeAnswers, target: NodeRecord) -> None:
    for record in draft.status.nodes:
        if record.node_id is None or record.node_id not in leader.removable:
            continue
        if record.stop is None:
            record.stop = "Retired"
            draft.report("NodeRetired", f"the members have removed {record.name}; stopping it")
        elif record.ended is not None:
            draft.do(RemoveNodeRow(through=target.name, node_id=record.node_id))


def _stop_refused(draft: Draft) -> None:
    """A joiner that ended before members trusted it leaves; another takes its place."""
    trusted = set(draft.status.configuration.nodes) if draft.status.configuration else set()
    for record in draft.status.nodes:
        if record.command is not Command.JOIN or record.stop is not None or record.node_id in trusted:
            continue
        if record.ended is None and record.joined_at is None and not has_target(draft, record):
            record.stop = "TargetGone"
        elif record.ended is not None and record.joined_at is None:
            record.stop = "NotJoined"
            code = "" if record.ended.exit_code is None else f" (exit code {record.ended.exit_code})"
            draft.report("JoinFailed", f"{record.name} could not join{code}; another takes its place", warning=True)


def has_target(draft: Draft, record: NodeRecord) -> bool:
    """Whether the node it joins through may still be there; a joiner asks no other (CCF facts §7.1)."""
    target = draft.status.node(record.join_target or "")
    return target is not None and target.ended is None


def _backs_off(draft: Draft) -> bool:
    return any(
        record.command is Command.JOIN
        and record.stop == "NotJoined"
        and record.ended is not None
        and draft.now - record.ended.at < JOINER_BACKOFF
        for record in draft.status.nodes
    )


def _governance(draft: Draft, leader: NodeAnswers, trusted: frozenset[str], joiners: list[NodeRecord]) -> Governance:
    status = {row.node_id: row.status for row in leader.nodes}
    trust = tuple(r for r in joiners if r.stop is None and r.node_id is not None and status.get(r.node_id) == "Pending")
    dead = [node for node in sorted(trusted) if (r := draft.by_node_id(node)) is not None and r.ended is not None]
    surplus = len(trusted) - len(dead) - draft.seen.spec.nodes
    spare = [
        record.node_id
        for record in sorted(draft.alive(), key=lambda r: r.planned_at, reverse=True)
        if record.node_id in trusted and record.node_id != leader.node_id and record.node_id is not None
    ]
    return Governance(trust=trust, remove=(*dead, *spare[: max(0, surplus)]))


def keep_fitness(draft: Draft, view: ServiceView) -> None:
    """Which nodes may serve clients, and which have joined: part of an agreed quorum, caught up, application open.

    While no quorum is seen and no loss is announced, nothing changes: the doubt may be the operator's own.
    """
    leader = view.leader
    trusted = view.configs[-1].nodes if view.configs else frozenset()
    for record in draft.alive():
        answers = view.members.get(record.name)
        if leader is None:
            record.fit = record.fit and draft.status.quorum.verdict in (Verdict.HEALTHY, Verdict.DEGRADED)
            continue
        if answers is None or answers.consensus is None:
            record.fit = False
            continue
        follows = answers.consensus.primary_id == leader.node_id and answers.consensus.membership == "Active"
        member = record.node_id in trusted and follows
        if member and record.joined_at is None and has_caught_up(record, leader):
            record.joined_at = draft.now
        service_open = answers.network is not None and answers.network.service_status == "Open"
        record.fit = bool(member and answers.ready_app and service_open)


def has_caught_up(record: NodeRecord, leader: NodeAnswers) -> bool:
    """Whether a node has all that its primary has committed (CCF facts §8.8: its state does not tell)."""
    if record.node_id is None or leader.consensus is None or leader.commit is None:
        return False
    if record.node_id == leader.node_id:
        return True
    ack = leader.consensus.acks.get(record.node_id)
    return ack is not None and ack.seqno >= leader.commit.seqno
