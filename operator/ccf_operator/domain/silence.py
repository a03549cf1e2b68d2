"""Nodes that run and do not answer: since when and why, kept in their records, and the words for it.

Silence proves nothing, and nothing is done for it. It is told because in most cases the cause is the network between
the operator and the nodes, where people find it quickly once they know where to look.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from ccf_operator.api.status import NodeRecord, Silence
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.observation import PodView
from ccf_operator.render import names

TOLD_AFTER = timedelta(seconds=30)
"""How long a node whose container runs may be silent before people are told."""


SHOWN = 3
"""Nodes that are named in a sentence; the others are counted."""


def keep_silence(draft: Draft, record: NodeRecord) -> None:
    """Note since when a node runs and does not answer, and why; forget it once it answers, ends or has no address.

    Of a node that was never heard it is known without being noted since when its container runs: nothing is written in
    the moment in which a node starts.
    """
    pod = draft.pod(record)
    answers = draft.seen.answers.get(record.name)
    if pod is None or pod.ip is None or answers is None or not (_runs(record, pod) and _says_nothing(answers)):
        record.silence = None
        return
    before = record.silence
    if before is None and record.node_id is None and draft.now - _runs_since(draft, pod) < TOLD_AFTER:
        return
    since = before.since if before is not None else _silent_since(draft, record, pod)
    record.silence = Silence(
        since=since,
        address=names.authority(pod.ip, names.OPERATOR_PORT),
        machine_ready=_is_machine_ready(draft, pod),
    )
    if answers.silence is not None:
        record.silence.cause, record.silence.words = answers.silence.cause, answers.silence.words
    elif before is not None and before.address == record.silence.address:
        record.silence.cause, record.silence.words = before.cause, before.words
    if record.note is None and is_told(draft, record):
        record.note = in_words(record)


def _runs(record: NodeRecord, pod: PodView) -> bool:
    return record.ended is None and pod.ccf.running and not pod.deleting


def _says_nothing(answers: NodeAnswers) -> bool:
    """Whether nothing was heard of it at all; of one that is another than expected something was."""
    return not answers.impostor and (not answers.reached or answers.silence is not None)


def _silent_since(draft: Draft, record: NodeRecord, pod: PodView) -> datetime:
    return _runs_since(draft, pod) if record.node_id is None else draft.now


def _runs_since(draft: Draft, pod: PodView) -> datetime:
    return pod.ccf.started_at or draft.now


def _is_machine_ready(draft: Draft, pod: PodView) -> bool | None:
    if draft.seen.machines is None:
        return None
    machine = draft.seen.machines.get(pod.machine or "")
    return machine is not None and machine.ready


def is_told(draft: Draft, record: NodeRecord) -> bool:
    """Whether a node has been silent for so long, for a cause that is known, that people are told."""
    silence = record.silence
    return silence is not None and silence.cause is not None and draft.now - silence.since >= TOLD_AFTER


def told(draft: Draft, records: Iterable[NodeRecord]) -> list[NodeRecord]:
    """Those of the nodes that run and do not answer, as people are told."""
    return [record for record in records if is_told(draft, record)]


def what_is_silent(record: NodeRecord) -> str:
    """`runs and does not answer at 10.1.2.3:8443 (connection timed out)`; empty if it is not silent."""
    silence = record.silence
    if silence is None:
        return ""
    why = f" ({silence.words})" if silence.words else ""
    return f"runs and does not answer at {silence.address}{why}"


def in_words(record: NodeRecord) -> str:
    """The same with the node's name."""
    return f"{record.name} {what_is_silent(record)}"


def in_words_together(records: Iterable[NodeRecord]) -> str:
    """The same of several nodes; empty if there are none."""
    silent = [in_words(record) for record in records if record.silence is not None]
    more = [f"{len(silent) - SHOWN} more do not answer"] if len(silent) > SHOWN else []
    return "; ".join([*silent[:SHOWN], *more])
