"""Keeping the record of nodes true: which pod, which machine, which CCF node id, whether it has ended.

A record is dropped only when its node has provably ended, its pod is gone and no configuration that still matters
names it. Pods are created once, stopped by UID, and released from our finalizer only when their end is on record.
"""

from __future__ import annotations

from ccf_operator.api.status import Ended, EndEvidence, Machine, NodeRecord
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import CreateNode, CreateVolume, DeleteConfigMap, DeletePod, LabelPod, ReleasePod
from ccf_operator.domain.ends import proof_of_end
from ccf_operator.render import labels

_NEVER_CREATED = "NeverCreated"


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
        _note_never_created(draft, record)
        if record.ended is None:
            record.ended = proof_of_end(record.machine, draft.pod(record), draft.seen.machines, draft.now)
            if record.ended is not None:
                record.fit = False
                _report_end(draft, record)
        if record.ended is not None and not record.released and record.name not in draft.seen.pods:
            record.released = True
    _learn_ids_from_rows(draft)


def _note_pod(draft: Draft, record: NodeRecord) -> None:
    pod = draft.pod(record)
    if pod is None:
        if record.pod_uid is not None and record.ended is None:
            record.note = (
                "its pod was removed before its end was seen; if its machine is down for good, taint it "
                "node.kubernetes.io/out-of-service or delete the Kubernetes Node"
            )
        return
    record.pod_uid = pod.uid
    if pod.machine is not None and record.machine is None:
        machine = (draft.seen.machines or {}).get(pod.machine)
        if machine is not None:
            record.machine = Machine(name=machine.name, uid=machine.uid, boot_id=machine.boot_id)
        elif draft.seen.machines is None:
            record.machine = Machine(name=pod.machine)


def _note_never_created(draft: Draft, record: NodeRecord) -> None:
    """A node that was given up before its pod was made has ended; unless the pod turns up after all."""
    if record.stop is not None and record.ended is None and record.pod_uid is None:
        record.ended = Ended(evidence=EndEvidence.NEVER_STARTED, at=draft.now, reason=_NEVER_CREATED)
    elif record.ended is not None and record.ended.reason == _NEVER_CREATED and draft.pod(record) is not None:
        record.ended, record.released = None, False


def _note_identity(draft: Draft, record: NodeRecord) -> None:
    answers = draft.seen.answers.get(record.name)
    if answers is None or draft.pod(record) is None:
        return
    if answers.impostor:
        record.note = f"whoever answers at its address is not the node that was first met there ({answers.problem})"
    elif answers.reached and answers.node_id is not None and record.node_id is None:
        record.node_id = answers.node_id


def _learn_ids_from_rows(draft: Draft) -> None:
    """Names of nodes the operator never reached itself, from the rows of the service's trusted nodes."""
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
    key = draft.status.service.public_key
    found = (draft.answers(record) for record in draft.alive())
    return [a for a in found if a is not None and a.network is not None and a.network.service_key == key]


def _report_end(draft: Draft, record: NodeRecord) -> None:
    assert record.ended is not None
    why = record.ended.evidence.value
    if record.ended.exit_code is not None:
        why += f", exit code {record.ended.exit_code}"
    draft.report("NodeEnded", f"{record.name} has ended ({why})", warning=record.stop is None)


def want_pods(draft: Draft) -> None:
    """Ask for the pods that should be, the end of those that should not, and the release of those that have ended."""
    for record in draft.status.nodes:
        pod = draft.pod(record)
        if record.ended is not None:
            if pod is not None and (record.stop is not None or pod.deleting):
                draft.do(ReleasePod(pod=pod.name, uid=pod.uid))
            continue
        if record.stop is not None:
            if pod is not None and not pod.deleting:
                draft.do(DeletePod(pod=pod.name, uid=pod.uid))
            continue
        if record.pod_uid is None:
            draft.do(CreateVolume(volume=record.volume))
            draft.do(CreateNode(node=record.name))
    for record in draft.status.nodes:
        if record.released and record.name in draft.seen.config_maps:
            draft.do(DeleteConfigMap(name=record.name))


def want_labels(draft: Draft) -> None:
    """Ask for the labels that Services and disruption budgets select by."""
    trusted = set(draft.status.configuration.nodes) if draft.status.configuration else set()
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


def forget_released(draft: Draft) -> None:
    """Drop the records of nodes that are gone and that nothing depends on any more."""
    matters: set[str | None] = set()
    if (configuration := draft.status.configuration) is not None:
        matters |= set(configuration.nodes).union(*configuration.pending)
    attempt = draft.status.attempt
    if attempt is not None:
        matters |= set(attempt.configuration).union(*attempt.pending)
        if attempt.network is not None:
            matters |= set(attempt.network.nodes).union(*attempt.network.pending)
    draft.status.nodes = [
        record
        for record in draft.status.nodes
        if not record.released
        or record.name in draft.seen.config_maps
        or record.node_id in matters
        or (attempt is not None and record.attempt == attempt.number)
    ]
