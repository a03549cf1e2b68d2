"""Joiners, in an open service and in one that is being recovered alike: on which volume, through whom, when again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from datetime import timedelta

from ccf_operator.api.spec import seconds
from ccf_operator.api.status import (
    Attempt,
    CandidateResult,
    Command,
    JoinFailures,
    NodeRecord,
    PodState,
    VolumeRecord,
)
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.backoff import wait_after
from ccf_operator.domain.candidates import gave_up
from ccf_operator.domain.corrections import REPLACED, is_outdated, is_unbound
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.ends import FINAL_PHASES
from ccf_operator.domain.ends import in_words as end_in_words
from ccf_operator.domain.made_of import made_of, storage_of
from ccf_operator.domain.pod_progress import NOT_STARTED, has_waited_too_long, in_words, may_have_started
from ccf_operator.domain.stranded import is_stranded_for_good
from ccf_operator.domain.suspects import seen_of_pod
from ccf_operator.render import names

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=5)
"""Time between the end of a joiner and the start of the next: doubled with each that fails, up to the longest."""

PLACING = timedelta(seconds=15)
"""How long a joiner on a used volume may take to get its machine before others no longer wait for that."""

PLACELESS = timedelta(seconds=30)
"""How long the scheduler may find no machine for one on a used volume, where there is another place for it."""


POD_GONE = "PodGone"
"""Why a joiner is not waited for whose pod went before its end was seen. It stays on record, for it may run."""

POD_OVER = "PodOver"
"""Why a joiner is not waited for whose pod was rejected or evicted, and whose end is not reported. It stays on record,
too."""


def free_volumes(draft: Draft) -> Iterator[VolumeRecord]:
    """Volumes a joiner can write on, without those that are set aside."""
    return (volume for volume in _unused(draft) if volume.set_aside is None)


def _unused(draft: Draft) -> Iterator[VolumeRecord]:
    """Volumes that every node that ever used them has left by its end, on a machine that works.

    A node that makes way for the winner's network needs not have ended: a joiner writes a generation of its own,
    reads none, and starts where and when the volume lets it. The ledger of a dead node that is still part of the
    configuration is left alone: a recovery may need it. So is a volume last used on a machine that another node holds:
    it may be bound to that machine.
    """
    attempt = draft.status.attempt
    unreachable = {
        candidate.volume
        for candidate in (attempt.candidates if attempt else [])
        if candidate.result in (CandidateResult.UNREACHABLE, CandidateResult.TIMED_OUT, CandidateResult.EXCLUDED)
    }
    needed = set(draft.status.configuration.nodes) if draft.status.configuration and attempt is None else set()
    held = {record.volume for record in draft.alive() if not _makes_way(draft, record, attempt)}
    taken = {volume.machine for volume in draft.status.volumes if volume.name in held and volume.machine is not None}
    for volume in draft.status.volumes:
        claim = draft.claim(volume.name)
        if claim is None or claim.deleting or claim.phase != "Bound":
            continue
        if volume.name in unreachable or volume.name in held:
            continue
        if volume.machine is not None and (volume.machine in taken or not works(draft, volume.machine)):
            continue
        if any(record.node_id in needed for record in draft.on_volume(volume.name)):
            continue
        yield volume


def _makes_way(draft: Draft, record: NodeRecord, attempt: Attempt | None) -> bool:
    """Whether it is told to end because a winner was chosen, and is sure to end soon: its machine works."""
    if attempt is None or attempt.winner is None or record.stop is None:
        return False
    return record.machine is None or works(draft, record.machine.name)


def works(draft: Draft, machine: str) -> bool:
    """Whether a machine can run pods, as far as Kubernetes Nodes can be read."""
    if draft.seen.machines is None:
        return True
    found = draft.seen.machines.get(machine)
    return found is not None and found.ready and not found.out_of_service


def plan_joiners(draft: Draft, count: int, target: NodeRecord, certificate: str, attempt: int | None) -> None:
    """So many joiners of the service with this certificate, on used volumes first, each in an empty generation.

    None while the last that failed is too recent. A new volume goes wherever there is room, so one is made only when
    the joiners that must follow a used volume have their machines: it could take the one place that such a joiner can
    go to.
    """
    if not may_plan(draft):
        return
    for _ in range(count):
        volume = next(free_volumes(draft), None)
        if volume is None:
            if any(_is_being_placed(draft, record) for record in draft.alive()):
                return
            volume = _blank(draft) or _once_more(draft) or draft.plan_volume()
        draft.plan_node(
            volume,
            Command.JOIN,
            attempt=attempt,
            join_target=target.name,
            join_address=names.address(
                target.name, draft.seen.name, draft.seen.namespace, draft.seen.cluster_domain, names.CLIENT_PORT
            ),
            service_certificate=certificate,
        )


def _blank(draft: Draft) -> VolumeRecord | None:
    """A volume that was planned, and on which nothing can have been written, of the storage that is wanted now."""
    held = {record.volume for record in draft.alive()}
    wanted = storage_of(draft.seen.spec)
    return next(
        (
            volume
            for volume in draft.status.volumes
            if volume.name not in held and volume.storage == wanted and is_unbound(draft, volume.name)
        ),
        None,
    )


def _once_more(draft: Draft) -> VolumeRecord | None:
    """The volume to try again of those on which nodes could not start, where there are as many as nodes are wanted.

    It may not be the volumes: else every try would leave another one behind.
    """
    given_up = [volume for volume in _unused(draft) if volume.set_aside is not None and volume.unstarted > 0]
    if len(given_up) < draft.seen.spec.nodes:
        return None
    again = min(given_up, key=lambda volume: (volume.unstarted, volume.next_generation))
    again.set_aside = None
    return again


def _is_being_placed(draft: Draft, record: NodeRecord) -> bool:
    follows = record.command is Command.JOIN and record.generation > 0 and record.stop is None
    return follows and record.machine is None and draft.now - record.planned_at < PLACING


def may_plan(draft: Draft) -> bool:
    """Whether enough time has passed since the last joiner that failed; none need pass once the spec is corrected."""
    failures = draft.status.join_failures
    if draft.seen.namespace_terminating:
        return False
    if failures is None or failures.made_of not in (None, made_of(draft.seen.spec)):
        return True
    return draft.now - failures.last_at >= wait_after(failures.count, FIRST_WAIT, LONGEST_WAIT)


def note_joined(draft: Draft, record: NodeRecord, leader: NodeAnswers) -> None:
    """Note that a trusted node has caught up with its primary, once it has."""
    if record.joined_at is None and has_caught_up(record, leader):
        record.joined_at = draft.now
        volume = draft.status.volume(record.volume)
        if volume is not None:
            volume.unstarted = 0
        if record.command is Command.JOIN:
            draft.status.join_failures = None


def has_caught_up(record: NodeRecord, leader: NodeAnswers) -> bool:
    """Whether a node has all that its primary has committed (CCF facts §8.8: its state does not tell)."""
    if record.node_id is None or leader.consensus is None or leader.commit is None:
        return False
    if record.node_id == leader.node_id:
        return True
    ack = leader.consensus.acks.get(record.node_id)
    return ack is not None and ack.seqno >= leader.commit.seqno


def stop_failed(draft: Draft, joiners: Iterable[NodeRecord], trusted: Set[str]) -> None:
    """Let go of joiners that ended, or can never join; one that is trusted is the members' to remove."""
    for record in joiners:
        if record.stop is not None or record.joined_at is not None or record.node_id in trusted:
            continue
        if record.ended is not None:
            _let_go(draft, record, "NotJoined", f"it ended ({end_in_words(record.ended)})")
        elif not has_target(draft, record):
            record.stop = "TargetGone"
        elif is_stranded_for_good(draft, record):
            _let_go(draft, record, "Stranded", "what made it a part of the service was rolled back")
        elif (why := _volume_is_gone(draft, record)) is not None:
            _let_go(draft, record, "VolumeGone", why)
        elif record.pod_uid is not None and draft.pod(record) is None:
            _let_go(draft, record, POD_GONE, "its pod is gone, and its end was not seen")
        elif (over := _is_over(draft, record)) is not None:
            _let_go(draft, record, POD_OVER, over)
        elif is_outdated(draft, record):
            record.stop = REPLACED
            draft.report("NodeReplaced", f"{record.name} had not started and the spec was corrected: it is made anew")
        elif may_have_started(record, draft.pod(record)):
            continue
        elif _finds_no_place(draft, record):
            _let_go(draft, record, NOT_STARTED, f"no machine could take it on {record.volume}")
            _set_aside(draft, record)
        elif has_waited_too_long(record, draft.seen.spec.recovery, draft.now):
            _let_go(draft, record, NOT_STARTED, f"it did not start on {record.volume} ({in_words(record.state)})")
            _set_aside_if_at_fault(draft, record)


def _volume_is_gone(draft: Draft, record: NodeRecord) -> str | None:
    """Why a joiner can never have its volume; one whose claim was never seen is still being made."""
    volume, claim = draft.status.volume(record.volume), draft.claim(record.volume)
    if record.pod_uid is None or volume is None or volume.uid is None:
        return None
    if claim is None:
        return f"its claim {record.volume} is gone"
    return f"its claim {record.volume} is being deleted" if claim.deleting and record.machine is None else None


def _is_over(draft: Draft, record: NodeRecord) -> str | None:
    """What the pod of a silent joiner says, where it is over for good and leaves open whether the node runs.

    With the pod deleted its kubelet ends and reports it.
    """
    pod = draft.pod(record)
    if pod is None or pod.phase not in FINAL_PHASES or draft.answers(record) is not None:
        return None
    return seen_of_pod(record, pod)


def _let_go(draft: Draft, record: NodeRecord, stop: str, why: str) -> None:
    record.stop = stop
    failures = draft.status.join_failures
    at = record.ended.at if record.ended is not None else draft.now
    alike = failures is not None and failures.made_of in (None, record.made_of)
    draft.status.join_failures = JoinFailures(
        count=failures.count + 1 if failures is not None and alike else 1,
        last_at=at,
        message=f"{record.name}: {why}",
        node=record.name,
        said=gave_up(record.ended) if record.ended is not None else None,
        made_of=record.made_of,
    )
    draft.report("JoinFailed", f"{record.name} did not join: {why}; another takes its place", warning=True)


def has_target(draft: Draft, record: NodeRecord) -> bool:
    """Whether the node it joins through may still be there; a joiner asks no other (CCF facts §7.1)."""
    target = draft.status.node(record.join_target or "")
    return target is not None and target.ended is None


def _set_aside(draft: Draft, record: NodeRecord) -> None:
    volume = draft.status.volume(record.volume)
    if volume is not None:
        volume.unstarted += 1
        volume.set_aside = f"{record.name} could not start on it"


def _set_aside_if_at_fault(draft: Draft, record: NodeRecord) -> None:
    """A volume that does not come is not tried again; what else keeps a node from starting may be passing, once."""
    volume = draft.status.volume(record.volume)
    if volume is not None and record.state is not PodState.ATTACHING and volume.unstarted == 0:
        volume.unstarted = 1
    else:
        _set_aside(draft, record)


def _finds_no_place(draft: Draft, record: NodeRecord) -> bool:
    """Whether a joiner gets no machine for the sake of its volume: the one that has it may be full, or gone.

    Where there is another place for it, it is not waited for long: it has no machine, so it never ran, and once its pod
    is deleted it never will. A volume that is not made yet is made wherever a machine is found, so there waiting is
    right.
    """
    if record.state is not PodState.UNSCHEDULED or is_unbound(draft, record.volume):
        return False
    pod = draft.pod(record)
    waited = draft.now - (max(record.planned_at, pod.created_at) if pod is not None else record.planned_at)
    if pod is not None and pod.unschedulable is not None and _is_elsewhere_room(draft, record):
        return waited > PLACELESS
    return waited > timedelta(seconds=seconds(draft.seen.spec.recovery.start_deadline))


def _is_elsewhere_room(draft: Draft, record: NodeRecord) -> bool:
    """Whether another used volume is free, or a machine on which a new one could be made."""
    if next(free_volumes(draft), None) is not None:
        return True
    others = [other for other in draft.alive() if other is not record and other.stop is None]
    held = {other.machine.name for other in others if other.machine is not None}
    unplaced = sum(other.machine is None for other in others)
    bound = draft.status.volume(record.volume)
    working = {name for name in draft.seen.machines or {} if works(draft, name)}
    return len(working - held - {bound.machine if bound is not None else None}) > unplaced
