"""Nodes that have run, and whose pods cannot tell any more whether they still do: what was seen of them, in words.

A kubelet that starts anew and does not want a pod any more, for a label of its machine has changed, rejects it and says
nothing of its containers; so do evictions and whoever else makes a pod's phase final. What ran may run on, and a
majority of such nodes still commits. Only words are made here; what is proven is in `domain.ends`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ccf_operator.api.status import NodeRecord
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.ends import FINAL_PHASES, has_run
from ccf_operator.domain.observation import PodView

_MESSAGE_LIMIT = 200


def seen_of_pod(record: NodeRecord, pod: PodView | None) -> str | None:
    """What a pod says that leaves it open whether its node still runs, in a few words; None if it says it clearly.

    None, too, for a node that was never seen to run.
    """
    if pod is None or not has_run(record) or pod.ccf.running or pod.ccf.terminated is not None:
        return None
    if pod.phase in FINAL_PHASES:
        why = f"{pod.phase} ({pod.reason})" if pod.reason else pod.phase
        return f"its pod is {why}, and the end of its process was not reported"
    if pod.stage.terminated is not None and pod.stage.terminated.exit_code != 0:
        return (
            f"its pod was started anew, where stage ended with exit code {pod.stage.terminated.exit_code}, and the end "
            "of the process that had run before was not reported"
        )
    return "the kubelet reports nothing of its process any more"


def suspects(draft: Draft, records: Iterable[NodeRecord]) -> list[NodeRecord]:
    """Those of the nodes that may run on, or not: nobody but they themselves, or a person, can tell."""
    return [
        record
        for record in records
        if record.ended is None and draft.answers(record) is None and seen_of_pod(record, draft.pod(record)) is not None
    ]


def note_on(draft: Draft, record: NodeRecord) -> str | None:
    """What a person should know of such a node: what was seen, and what was said to it; None of any other."""
    pod = draft.pod(record)
    seen = seen_of_pod(record, pod)
    if seen is None or pod is None or record.ended is not None:
        return None
    if draft.answers(record) is not None:
        return f"{seen}; but it answers, so it still runs"
    said = f": {pod.message[:_MESSAGE_LIMIT]}" if pod.message else ""
    return f"{seen}; it may still run{said}{_rebooted(draft, record)}"


def what_to_do(draft: Draft, found: Sequence[NodeRecord]) -> str:
    """What a person can do about such nodes, of which there is at least one."""
    names = [record.name for record in found]
    machines = sorted({record.machine.name for record in found if record.machine is not None})
    return (
        f"{', '.join(names)} may still run: look on {', '.join(machines) or 'their machines'} (crictl ps --name ccf). "
        f"A kubelet that works ends and reports them: kubectl -n {draft.seen.namespace} delete pod {' '.join(names)} . "
        "Only where nothing of them runs, and no report comes: kubectl taint node NAME "
        "node.kubernetes.io/out-of-service=nodeshutdown:NoSchedule, and take the taint off again later"
    )


def left_out(draft: Draft, records: Iterable[NodeRecord]) -> list[NodeRecord]:
    """Those of the nodes that run by their own word, and to which no Service leads, for their pods are over."""
    return [
        record
        for record in records
        if record.stop is None and draft.answers(record) is not None and seen_of_pod(record, draft.pod(record))
    ]


def said_of_left_out(draft: Draft, found: Sequence[NodeRecord]) -> str:
    """What is to be known of such nodes; empty if there is none."""
    return "; ".join(
        f"{record.name} answers, but {seen_of_pod(record, draft.pod(record))}: Services leave it out"
        for record in found
    )


def replace_one(draft: Draft, found: Sequence[NodeRecord], primary: str | None) -> str:
    """How one of such nodes of a service that has its quorum is replaced, the primary last; empty if there is none."""
    first = next(iter(sorted(found, key=lambda record: record.name == primary)), None)
    if first is None:
        return ""
    known = draft.status.configuration
    alone = ""
    if known is not None and len(known.nodes) < 3:
        alone = "; the service has no quorum without it, so that a recovery follows"
    return (
        f"to have {first.name} replaced, if its kubelet does not end it by itself: "
        f"kubectl -n {draft.seen.namespace} delete pod {first.name} ; another takes its place{alone}"
    )


def _rebooted(draft: Draft, record: NodeRecord) -> str:
    known = record.machine
    now = (draft.seen.machines or {}).get(known.name) if known is not None else None
    if known is None or now is None or known.boot_id is None or now.boot_id in (None, known.boot_id):
        return ""
    return f"; {known.name} has another boot id than when it was seen to run"
