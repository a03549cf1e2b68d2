"""Keeping the record of nodes true: which pod, which machine, which CCF node id, whether it has ended.

A record is dropped only when its node has provably ended, its pod is gone and no configuration that still matters
names it. Pods are created once, stopped by UID, and released from our finalizer only when their end is on record.
"""

from __future__ import annotations

from collections.abc import Iterator

from ccf_operator.api.status import Command, Configuration, Ended, EndEvidence, Machine, NodeRecord
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import CreateNode, CreateVolume, DeleteConfigMap, DeletePod, LabelPod, ReleasePod
from ccf_operator.domain.ends import (
    BY_WORD,
    NEVER_CREATED,
    in_words,
    is_refuted,
    may_have_run_unseen,
    proof_of_end,
    proof_of_nodes_end,
)
from ccf_operator.domain.network_advice import is_behind_service
from ccf_operator.domain.observation import PodView
from ccf_operator.domain.pod_progress import note_progress
from ccf_operator.domain.releasing import hinders, holds
from ccf_operator.domain.service import ServiceView
from ccf_operator.domain.silence import keep_silence
from ccf_operator.domain.suspects import note_on, seen_of_pod
from ccf_operator.domain.writers import is_disbelieved
from ccf_operator.render import labels, names


def keep_records(draft: Draft) -> None:
    """Bring the records of nodes and volumes up to what has been seen."""
    for volume in draft.status.volumes:
        claim = draft.seen.claims.get(volume.name)
        if claim is not None and volume.uid is None:
            volume.uid = claim.uid
    for record in draft.status.nodes:
        _note_pod(draft, record)
        used = draft.status.volume(record.volume)
        if used is not None and record.machine is not None and record.ended is None:
            used.machine = record.machine.name
        _note_identity(draft, record)
    _learn_ids_from_rows(draft)  # before the ends: who is part of a service has run, whatever its pod says
    for record in draft.status.nodes:
        _note_never_created(draft, record)
        _note_end(draft, record)
        keep_silence(draft, record)
        if record.ended is None:
            read = draft.seen.read.get(record.name)
            note_progress(record, draft.pod(record), read, draft.seen.spec.recovery, draft.now)
        record.note = record.note or note_on(draft, record)
        record.released = record.ended is not None and draft.pod(record) is None


def _note_pod(draft: Draft, record: NodeRecord) -> None:
    pod = draft.pod(record)
    record.note = None
    if pod is None:
        if record.pod_uid is not None and record.ended is None:
            record.note = f"its pod was removed before its end was seen; {_about_its_machine(draft, record)}"
        return
    record.pod_uid = pod.uid
    record.pod_ip = pod.ip or record.pod_ip
    if pod.ccf.running and record.started_at is None:
        record.started_at = draft.now
    _note_machine(draft, record, pod)


def _about_its_machine(draft: Draft, record: NodeRecord) -> str:
    found = (draft.seen.machines or {}).get(record.machine.name) if record.machine is not None else None
    if found is not None and found.ready:
        return f"look on its machine {found.name}, which is Ready, whether the process still runs"
    return "if its machine is down for good, taint it node.kubernetes.io/out-of-service or delete the Kubernetes Node"


def _note_machine(draft: Draft, record: NodeRecord, pod: PodView) -> None:
    """Where it runs; the boot id only while it does, for that of a later boot would pass for proof of its disk."""
    if pod.machine is None:
        return
    machine = (draft.seen.machines or {}).get(pod.machine)
    if record.machine is None and (machine is not None or draft.seen.machines is None):
        record.machine = Machine(name=pod.machine, uid=machine.uid if machine is not None else None)
    known = record.machine
    if known is not None and known.boot_id is None and machine is not None and pod.ccf.running:
        known.boot_id = machine.boot_id if machine.uid == known.uid else None


def _note_identity(draft: Draft, record: NodeRecord) -> None:
    answers = draft.seen.answers.get(record.name)
    if answers is None or draft.pod(record) is None:
        return
    if answers.impostor:
        if seen_of_pod(record, draft.pod(record)) is not None:
            return  # its address may be another pod's by now
        record.note = f"whoever answers at its address is not the node that was first met there ({answers.problem})"
        return
    if answers.reached and answers.node_id is not None and record.node_id is None:
        record.node_id = answers.node_id
    if answers.certificate_expires_at is not None:
        record.certificate_expires_at = answers.certificate_expires_at


def _note_never_created(draft: Draft, record: NodeRecord) -> None:
    """A node that was given up before its pod was made has ended; unless the pod turns up after all."""
    if record.stop is not None and record.ended is None and record.pod_uid is None:
        record.ended = Ended(evidence=EndEvidence.NEVER_STARTED, at=draft.now, reason=NEVER_CREATED)
    elif record.ended is not None and record.ended.reason == NEVER_CREATED and draft.pod(record) is not None:
        record.ended = None


def _note_end(draft: Draft, record: NodeRecord) -> None:
    """Record the proof of a node's end. Somebody's word about its machine does not stand against its own answer."""
    answers = draft.seen.answers.get(record.name)
    heard = answers is not None and answers.reached and draft.pod(record) is not None
    if heard:
        _follow_machine(draft, record)
    if record.ended is not None and heard and record.ended.evidence in BY_WORD:
        draft.report("NodeReturned", f"{record.name} answers: {record.ended.reason} was not so", warning=True)
        record.ended = None
        return
    before = record.ended
    if is_refuted(record):
        record.ended = None
    elif before is not None and not may_have_run_unseen(before):
        return
    ended = proof_of_nodes_end(record, draft.pod(record), draft.seen.machines, draft.now, draft.seen.watched_since)
    word = ended if ended is not None and ended.evidence in BY_WORD else None
    if is_disbelieved(record, word) and word is not None:
        record.note = record.lives
        return
    if ended is None or (heard and ended.evidence in BY_WORD) or (before is not None and _is_no_more(ended, before)):
        return
    record.ended, record.fit = ended, False
    draft.report("NodeEnded", f"{record.name} has ended ({in_words(ended)})", warning=record.stop is None)


def _is_no_more(ended: Ended, before: Ended) -> bool:
    """Whether a proof says no more than the one on record, of a node that was never seen to run."""
    return ended.evidence is before.evidence


def _follow_machine(draft: Draft, record: NodeRecord) -> None:
    """A node that answers runs on the Kubernetes Node that its kubelet has registered, be it since the last look."""
    known = record.machine
    current = (draft.seen.machines or {}).get(known.name) if known is not None else None
    if known is not None and known.uid is not None and current is not None:
        known.uid = current.uid


def _learn_ids_from_rows(draft: Draft) -> None:
    """Ids of nodes the operator never reached itself, from the rows of the service's trusted nodes."""
    unknown = {record.name: record for record in draft.status.nodes if record.node_id is None}
    if not unknown:
        return
    known = {record.node_id for record in draft.status.nodes if record.node_id is not None}
    for answers in _of_service(draft):
        for row in answers.nodes:
            host = next((address.partition(".")[0] for address in row.published.values()), "")
            if row.status == "Trusted" and row.node_id not in known and host in unknown:
                unknown.pop(host).node_id = row.node_id
                known.add(row.node_id)


def _of_service(draft: Draft) -> list[NodeAnswers]:
    """What nodes of the service say, and of the one that is being recovered."""
    attempt = draft.status.attempt
    recovering = attempt.winner.public_key if attempt is not None and attempt.winner is not None else None
    keys = {draft.status.service.public_key, recovering}
    found = (draft.answers(record) for record in draft.alive())
    return [a for a in found if a is not None and a.network is not None and a.network.service_key in keys]


def want_pods(draft: Draft) -> None:
    """Ask for the pods that should be, the end of those that should not, and the release of those that have ended."""
    for record in draft.status.nodes:
        pod = draft.pod(record)
        if record.ended is not None:
            if pod is not None and _may_be_released(draft, record, pod):
                draft.do(ReleasePod(pod=pod.name, uid=pod.uid))
        elif record.stop is not None:
            if pod is not None and not pod.deleting:
                draft.do(DeletePod(pod=pod.name, uid=pod.uid))
        elif draft.seen.namespace_terminating:
            continue  # nothing can be made there any more
        elif not _would_read_beside_a_writer(draft, record):
            volume = draft.status.volume(record.volume)
            if volume is not None and volume.uid is None:
                draft.do(CreateVolume(volume=record.volume))
            if record.pod_uid is None:
                draft.do(CreateNode(node=record.name))
    for pod in _strays(draft):
        if proof_of_end(None, pod, draft.seen.machines, draft.now) is not None:
            if holds(draft.seen, pod) is None:
                draft.do(ReleasePod(pod=pod.name, uid=pod.uid))
        elif not pod.deleting:
            draft.do(DeletePod(pod=pod.name, uid=pod.uid))
    for name in sorted(draft.seen.config_maps):
        owner = draft.status.node(name)
        if owner.released if owner is not None else _is_forgotten(draft, name):
            draft.do(DeleteConfigMap(name=name))


def _may_be_released(draft: Draft, record: NodeRecord, pod: PodView) -> bool:
    """Of a node that has ended: whether nothing rests on its pod any more, and nothing would go with it."""
    wanted = record.stop is not None or pod.deleting or hinders(draft.seen, pod)
    return wanted and holds(draft.seen, pod) is None


def _would_read_beside_a_writer(draft: Draft, record: NodeRecord) -> bool:
    """Whether a node runs, or may again, on the volume of a candidate that was planned when it was said to be gone."""
    others = (other for other in draft.on_volume(record.volume) if other is not record)
    return record.command is Command.RECOVER and any(o.ended is None or _may_return(draft, o) for o in others)


def _may_return(draft: Draft, record: NodeRecord) -> bool:
    """Whether a kubelet that comes back goes on with a node that is said to be gone: its pod has not been let go."""
    pod = draft.pod(record)
    if record.ended is None or record.ended.evidence not in BY_WORD or pod is None:
        return False
    return not pod.deleting or labels.POD_FINALIZER in pod.finalizers


def _strays(draft: Draft) -> Iterator[PodView]:
    """Pods of nodes that are forgotten, or that came after their node's own: a creation that took effect late."""
    owners = {record.name: record for record in draft.status.nodes}
    for pod in draft.seen.pods.values():
        owner = owners.get(pod.name)
        known = owner is not None and owner.pod_uid in (None, pod.uid)
        if not known and pod.owner_uid == draft.seen.uid and _is_forgotten(draft, pod.name):
            yield pod


def _is_forgotten(draft: Draft, name: str) -> bool:
    """Whether a node of this name, of no record, was once planned; a status that knows of nothing says so of none."""
    number = names.node_counter(name, draft.seen.name, draft.seen.uid)
    knows = bool(draft.status.volumes) or draft.status.service.public_key is not None
    return knows and number is not None and number < draft.status.counters.next_node


def want_labels(draft: Draft) -> None:
    """Ask for the labels that Services and disruption budgets select by."""
    trusted = set(current.nodes) if (current := current_configuration(draft)) is not None else set()
    winner = draft.status.attempt.winner if draft.status.attempt else None
    for record in draft.alive():
        pod = draft.pod(record)
        if pod is None or (record.stop is not None and pod.deleting):
            continue
        wanted = {
            labels.TRAFFIC: "true" if record.fit and record.stop is None else None,
            labels.TRUSTED: "true" if record.node_id in trusted else None,
        }
        if winner is not None and winner.node == record.name:
            wanted[labels.ROLE] = labels.Role.WINNER.value
        elif draft.status.attempt is None:
            wanted[labels.ROLE] = labels.Role.NODE.value
        changes = tuple((key, value) for key, value in sorted(wanted.items()) if pod.labels.get(key) != value)
        if changes:
            draft.do(LabelPod(pod=pod.name, uid=pod.uid, labels=changes))


def serves(draft: Draft, record: NodeRecord) -> bool:
    """Whether clients reach a node through the Service: it is fit, and its pod bears the label and is Ready."""
    pod = draft.pod(record)
    return record.fit and pod is not None and is_behind_service(pod) and pod.ready


def current_configuration(draft: Draft) -> Configuration | None:
    """The consensus configuration of the service, or of the one that is being recovered once there is one."""
    attempt = draft.status.attempt
    return attempt.network if attempt is not None and attempt.network is not None else draft.status.configuration


def forget_released(draft: Draft, view: ServiceView) -> None:
    """Drop the records of nodes that are gone and that nothing depends on any more.

    `view` is of the service, or of the one that is being recovered once a winner is chosen.
    """
    matters, needed = ids_that_matter(draft), _names_needed(draft)
    draft.status.nodes = [
        record
        for record in draft.status.nodes
        if not record.released
        or record.name in draft.seen.config_maps
        or record.node_id in matters
        or record.name in needed
        or _may_be_trusted(draft, record, led=view.primary is not None)
    ]


def ids_that_matter(draft: Draft) -> set[str | None]:
    """Ids of the nodes of every configuration that a quorum may still be counted in."""
    status = draft.status
    attempt, unsettled = status.attempt, status.unsettled
    configurations = [
        status.configuration,
        attempt.network if attempt is not None else None,
        unsettled.configuration if unsettled is not None else None,
        status.doubted.configuration if status.doubted is not None else None,
    ]
    matters: set[str | None] = set()
    for configuration in configurations:
        if configuration is not None:
            matters |= set(configuration.nodes).union(*configuration.pending)
    if attempt is not None:
        matters |= set(attempt.configuration).union(*attempt.pending)
    return matters


def _names_needed(draft: Draft) -> set[str | None]:
    """Candidates, and the last first node of a service that was never met: how that ended tells what is to be done."""
    attempt, status = draft.status.attempt, draft.status
    needed: set[str | None] = {candidate.node for candidate in attempt.candidates} if attempt is not None else set()
    if status.service.public_key is None:
        needed |= {record.name for record in [r for r in status.nodes if r.command is Command.START][-1:]}
    return needed


def _may_be_trusted(draft: Draft, record: NodeRecord, *, led: bool) -> bool:
    """A joiner that ran may be in a configuration that no primary has told of yet; its end then counts."""
    ended = record.ended
    ran = ended is not None and (ended.evidence is not EndEvidence.NEVER_STARTED or may_have_run_unseen(ended))
    if record.command is not Command.JOIN or not ran:
        return False
    attempt = draft.status.attempt
    if record.attempt is None:
        return attempt is not None or not led
    return attempt is not None and record.attempt == attempt.number and not led
