"""Joiners that a configuration has stranded which was rolled back: they run, in no service, and never ask again.

A primary that is being cut off can trust a joiner and send it the service's keys; if another is elected without that,
the joiner is in no configuration and has no row. Once it was told that it is trusted it does not ask again (CCF's
`node_state.h` asks only while `Pending`), so it would stay so for ever. One that still says `Pending` keeps asking, and
gets its row again at its next try (CCF facts §7.1): it is never taken for stranded.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from ccf_operator.api.status import NodeRecord
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.service import ServiceView

STRANDED = timedelta(seconds=30)
"""How long a joiner must have been seen so, look after look: many times what an election and the answers of one look
take, so that what was asked of its nodes one after the other cannot look like it."""

_JOINED = frozenset({"PartOfNetwork", "PartOfPublicNetwork", "ReadingPrivateLedger"})
"""What a node says of itself that was told it is trusted (CCF facts §2)."""


def keep_stranded(draft: Draft, view: ServiceView, joiners: Iterable[NodeRecord]) -> None:
    """Note since when each of these joiners of a service is stranded, look after look; a joiner that is has not joined.

    Silence proves nothing, neither its own nor that of a service without an agreed primary.
    """
    for record in joiners:
        if not _is_stranded(draft.answers(record), record, view):
            record.stranded_since = None
            continue
        record.stranded_since = record.stranded_since or draft.now
        record.joined_at = None
        record.note = (
            f"it says that it has joined, but {view.primary}, which leads the service, knows nothing of it: what made "
            "it a part of the service was rolled back. If that stays so, it is stopped and another takes its place"
        )


def _is_stranded(answers: NodeAnswers | None, record: NodeRecord, view: ServiceView) -> bool:
    """Whether it says that it has joined, and a primary that cannot be rolled back any more does not know it.

    A primary that has committed in its own view has a majority behind it that never votes for a ledger of an earlier
    view: no configuration that it does not know can be committed any more.
    """
    leader = view.leader
    if answers is None or answers.state is None or answers.state.state not in _JOINED:
        return False
    if leader is None or leader.consensus is None or leader.commit is None:
        return False
    rows = {row.node_id for row in leader.nodes}
    if leader.commit.view != leader.consensus.view or leader.node_id not in rows:
        return False
    return record.node_id not in rows.union(*(config.nodes for config in view.configs))


def is_stranded_for_good(draft: Draft, record: NodeRecord) -> bool:
    """Whether it has been seen stranded for so long that it can be stopped; its volume stays as it is."""
    return record.stranded_since is not None and draft.now - record.stranded_since > STRANDED
