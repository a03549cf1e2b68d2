"""Joiners that the members have trusted and that never hear of it, for the node they ask has ended.

Members who trust a joiner as they remove the node through which it joins bring that about, or that node's death just
then. A joiner asks no other node (CCF facts §7.1) and holds nothing yet: it would count in every quorum, and take no
part for ever.
"""

from __future__ import annotations

from datetime import timedelta

from ccf_operator.api.status import Command, NodeRecord
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.service import ServiceView

LONG_ENOUGH = timedelta(seconds=30)
"""How long the node it asks must have ended, and the configuration with it been in force: many times what an answer
that was on its way, and the look that heard the joiner, can take."""


def untold(draft: Draft, view: ServiceView) -> frozenset[str]:
    """Those of an agreed primary's one configuration, as CCF node ids, that prove on this look that they still wait."""
    known = draft.status.configuration
    if view.primary is None or known is None or known.service != view.key or known.pending or len(view.configs) != 1:
        return frozenset()
    if draft.now - known.seen_at <= LONG_ENOUGH:
        return frozenset()
    waiting = (record for record in draft.own_nodes() if _waits(draft, record) and _asks_nobody(draft, record))
    return view.configs[0].nodes & {record.node_id for record in waiting if record.node_id is not None}


def _waits(draft: Draft, record: NodeRecord) -> bool:
    said = draft.answers(record)
    return said is not None and said.state is not None and said.state.state == "Pending"


def _asks_nobody(draft: Draft, record: NodeRecord) -> bool:
    """Whether the node it joins through has ended long ago; one that is forgotten has."""
    if record.command is not Command.JOIN or record.join_target is None:
        return False
    target = draft.status.node(record.join_target)
    return target is None or (target.ended is not None and draft.now - target.ended.at > LONG_ENOUGH)
