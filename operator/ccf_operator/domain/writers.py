"""Nodes that were said to have ended and that `stage` has found alive: they have not, and no word counts against that.

A candidate that has found such a writer is not used, and what it has seen takes the proof of the loss back.
"""

from __future__ import annotations

import json

from ccf_operator.api.status import Ended, EndEvidence, NodeRecord
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.ends import STAGE_FAILED

STAGE_WRITTEN = 7
"""Exit code of `stage` on a volume that somebody still writes to, or beside a node that still answers."""


def found_a_writer(record: NodeRecord) -> bool:
    """Whether the `stage` of a candidate's node has ended for that."""
    ended = record.ended
    return ended is not None and ended.reason == STAGE_FAILED and ended.exit_code == STAGE_WRITTEN


def take_back(draft: Draft, candidate: NodeRecord) -> list[NodeRecord]:
    """Take the ends of the writers that a candidate's `stage` has found for not proven any more; those it was so for.

    An end that a kubelet has reported stands. Where the report does not say who writes, every node that used the volume
    may.
    """
    names = _named(candidate.ended)
    found = []
    for record in draft.status.nodes:
        mine = record.name in names or (not names and record.volume == candidate.volume)
        ended = record.ended
        if record is candidate or not mine or ended is None or ended.evidence is EndEvidence.CONTAINER_TERMINATED:
            continue
        record.ended, record.released = None, False
        record.lives = f"stage on {candidate.volume} has found it alive: {_why(candidate.ended)}"
        draft.report("NodeReturned", f"{record.name}: {record.lives}; it has not ended", warning=True)
        _follow_its_machine(draft, record)
        found.append(record)
    return found


def is_disbelieved(record: NodeRecord, word: Ended | None) -> bool:
    """Whether word of a node's machine does not count; without any the next that is given does."""
    if record.lives is None:
        return False
    if word is None:
        record.lives = None
    return word is not None


def forget(draft: Draft) -> None:
    """Take words about machines for good again: a person has been told who lives, and has ended the attempt."""
    for record in draft.status.nodes:
        record.lives = None


def _follow_its_machine(draft: Draft, record: NodeRecord) -> None:
    known = record.machine
    now = (draft.seen.machines or {}).get(known.name) if known is not None else None
    if known is not None and now is not None:
        known.uid = now.uid


def _report_of(ended: Ended | None) -> dict[str, object]:
    try:
        found = json.loads((ended.message if ended is not None else None) or "")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _named(ended: Ended | None) -> set[str]:
    found = _report_of(ended).get("alive")
    return {str(name) for name in found} if isinstance(found, list) else set()


def _why(ended: Ended | None) -> str:
    return str(_report_of(ended).get("error") or "it still writes")[:300]
