"""Joiners that have not started while no primary is seen: they may keep a loss from being proven, and never would vote.

Members may have trusted a joiner that the operator has not heard of, so that each that may have run counts. One whose
pod has its machine, and whose kubelet says that it has not started, is not waited for any longer than one of a service
that is led, and its end is then proven.
"""

from __future__ import annotations

from collections.abc import Sequence

from ccf_operator.api.status import Command, NodeRecord
from ccf_operator.domain.corrections import REPLACED, is_outdated
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.joiners import works
from ccf_operator.domain.pod_progress import NOT_STARTED, UNTIL_IT_RUNS, has_waited_too_long, in_words, may_have_started
from ccf_operator.domain.service import ServiceView


def not_started(draft: Draft) -> list[NodeRecord]:
    """Joiners of the service that have their machines, which work, and that their kubelets have not started."""
    return [
        record
        for record in draft.own_nodes()
        if record.command is Command.JOIN
        and record.ended is None
        and record.state in UNTIL_IT_RUNS
        and (pod := draft.pod(record)) is not None
        and not may_have_started(record, pod)
        and pod.machine is not None
        and works(draft, pod.machine)
    ]


def stop_unstarted(draft: Draft, view: ServiceView) -> None:
    """Let go of those that are not waited for any longer; `view` is of the open service, and shows no primary."""
    if view.primary is not None:
        return
    for record in not_started(draft):
        if record.stop is not None:
            continue
        if is_outdated(draft, record):
            record.stop, why = REPLACED, "the spec was corrected"
        elif has_waited_too_long(record, draft.seen.spec.recovery, draft.now):
            record.stop, why = NOT_STARTED, in_words(record.state)
        elif (pod := draft.pod(record)) is not None and pod.deleting:
            record.stop, why = NOT_STARTED, "somebody deletes its pod"
        else:
            continue
        draft.report("JoinFailed", f"{record.name} had not started ({why}), and is not waited for", warning=True)


def about_unstarted(draft: Draft, found: Sequence[NodeRecord]) -> str:
    """What to do about such nodes while no loss is proven; empty if there is none."""
    those = [record for record in found if record.stop is None]
    if not those:
        return ""
    said = ", ".join(f"{record.name} ({in_words(record.state)})" for record in those)
    return (
        f"{said} has not started, and counts as one that might vote until it is given up, "
        f"{draft.seen.spec.recovery.start_deadline} after it came to that or when the spec is corrected; to give it up "
        f"now: kubectl -n {draft.seen.namespace} delete pod {' '.join(record.name for record in those)}"
    )
