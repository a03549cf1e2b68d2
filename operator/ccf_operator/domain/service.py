"""What is known of the open service, kept while it is healthy: certificate, configuration, high-water mark.

Only nodes that show the known service key are believed, never candidates (CCF facts §0.4, §8.8): the service a
recovery makes has another key until the attempt has succeeded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import timedelta

from ccf_operator.api.status import Command, Configuration, HighWaterMark, NodeRecord
from ccf_operator.ccf.answers import ConsensusConfig, NodeAnswers
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.ends import may_live
from ccf_operator.domain.quorum import Members, Testimony, agreed_primary, majority
from ccf_operator.domain.txid import TxID

MARK_INTERVAL = timedelta(seconds=5)
"""Least time between two writes of the high-water mark of a service that is well: a busy one commits all the time."""


@dataclass(frozen=True)
class ServiceView:
    """What the nodes of one service (by its key) say together.

    `members` maps the names of its nodes that answered to their answers; `primary` is the name of the node that a
    majority of every active configuration agrees on, None if there is none.
    """

    key: str
    members: Mapping[str, NodeAnswers]
    primary: str | None
    configs: tuple[ConsensusConfig, ...] = ()

    @property
    def leader(self) -> NodeAnswers | None:
        """What the agreed primary said."""
        return self.members.get(self.primary) if self.primary is not None else None

    def testimonies(self) -> tuple[Testimony, ...]:
        """What each of its nodes can say for or against a loss of quorum."""
        return tuple(
            Testimony(
                node_id=a.node_id,
                configurations=tuple(config.nodes for config in a.consensus.configs),
                primary=a.consensus.primary_id,
                leads=a.consensus.leadership == "Leader",
            )
            for a in self.members.values()
            if a.consensus is not None and a.node_id is not None and a.consensus.membership == "Active"
        )

    def commit(self) -> TxID | None:
        """The greatest committed TxID that one of its nodes knows."""
        return max((a.commit for a in self.members.values() if a.commit is not None), default=None)

    def is_open(self) -> bool:
        """Open on a quorum of every active configuration: the application answers, and the service says so.

        `service_status` alone is a local, uncommitted read (CCF facts §8.8).
        """
        if self.primary is None or not self.configs:
            return False
        serving = {
            a.node_id
            for a in self.members.values()
            if a.ready_app and a.network is not None and a.network.service_status == "Open"
        }
        return all(len(config.nodes & serving) >= majority(len(config.nodes)) for config in self.configs)


def view_service(draft: Draft, key: str | None, records: Iterable[NodeRecord]) -> ServiceView:
    """The service with this key, as the given nodes show it."""
    members: dict[str, NodeAnswers] = {}
    for record in records:
        answers = draft.answers(record)
        if answers is not None and answers.network is not None and key and answers.network.service_key == key:
            members[record.name] = answers
    opinions = {
        a.node_id: (a.consensus.primary_id, a.consensus.view)
        for a in members.values()
        if a.consensus is not None and a.node_id is not None
    }
    for name, answers in members.items():
        consensus = answers.consensus
        if consensus is None or answers.node_id is None or consensus.primary_id != answers.node_id:
            continue
        if agreed_primary([config.nodes for config in consensus.configs], opinions) == answers.node_id:
            return ServiceView(key or "", members, name, consensus.configs)
    return ServiceView(key or "", members, None)


def view_own_service(draft: Draft) -> ServiceView:
    """The service on record, as its own nodes show it."""
    return view_service(draft, draft.status.service.public_key, draft.own_nodes())


def keep_service(draft: Draft, view: ServiceView) -> None:
    """Persist what the service shows: its certificate after a renewal, its status, and when it was first seen open."""
    service = draft.status.service
    leader = view.leader
    if leader is None or leader.network is None:
        return
    service.certificate = leader.network.service_certificate
    service.recovery_count = leader.network.recovery_count
    service.create_tx_id = str(leader.network.create_tx_id) if leader.network.create_tx_id else service.create_tx_id
    if service.opened_at is None:
        service.status = leader.network.service_status
        if view.is_open():
            service.opened_at = draft.now
            draft.report("ServiceOpened", "the members have opened the service")
    elif leader.network.service_status == "Open":
        service.status = "Open"


def keep_configuration(current: Configuration | None, draft: Draft, view: ServiceView) -> Configuration | None:
    """The last committed configuration, and those that may have replaced it.

    An agreed primary knows both; without one, whatever any node has heard of is added, and nothing forgotten.
    """
    known = current if current is not None and current.service == view.key else None
    if view.primary is not None and view.configs:
        return _as_configuration(known, view.configs, view.key, draft)
    if known is None:
        return current
    heard = {
        (config.seqno, tuple(sorted(config.nodes)))
        for answers in view.members.values()
        if answers.consensus is not None
        for config in answers.consensus.configs
    }
    pending = [list(p) for p in known.pending]
    for seqno, nodes in sorted(heard):
        if seqno > known.seqno and list(nodes) != known.nodes and list(nodes) not in pending:
            pending.append(list(nodes))
    return known.model_copy(update={"pending": pending})


def _as_configuration(
    known: Configuration | None, configs: tuple[ConsensusConfig, ...], key: str, draft: Draft
) -> Configuration:
    committed, *pending = sorted(configs, key=lambda config: config.seqno)
    if known is not None and known.seqno > committed.seqno:
        return known
    same = known is not None and known.seqno == committed.seqno and set(known.nodes) == committed.nodes
    return Configuration(
        seqno=committed.seqno,
        nodes=sorted(committed.nodes),
        pending=[sorted(config.nodes) for config in pending],
        service=key,
        seen_at=known.seen_at if known is not None and same else draft.now,
    )


def keep_high_water_mark(draft: Draft, view: ServiceView) -> None:
    """Raise the high-water mark, once the service has been seen open; of a healthy one not at every look."""
    mark, commit = draft.status.high_water_mark, view.commit()
    if mark is not None and commit is not None and mark.service == draft.status.service.public_key:
        healthy = view.primary is not None and TxID.parse(mark.tx_id).view == commit.view
        if healthy and draft.now - mark.seen_at < MARK_INTERVAL:
            return
    raise_high_water_mark(draft, view)


def raise_high_water_mark(draft: Draft, view: ServiceView) -> None:
    """Raise the high-water mark to what is seen committed now, once the service has been seen open."""
    service, mark, commit = draft.status.service, draft.status.high_water_mark, view.commit()
    if service.opened_at is None or commit is None or service.public_key is None:
        return
    if mark is not None and mark.service == service.public_key and TxID.parse(mark.tx_id) >= commit:
        return
    draft.status.high_water_mark = HighWaterMark(tx_id=str(commit), service=service.public_key, seen_at=draft.now)


def keep_lineages(draft: Draft) -> None:
    """A volume holds the ledger of the open service once its node is part of it, or may be.

    The generation a joiner writes is a whole copy; a winner's is whole only with its ancestors. What a node of a
    configuration that is under way has acknowledged may be committed by that.
    """
    service, known = draft.status.service, draft.status.configuration
    if service.opened_at is None or known is None:
        return
    trusted = set(known.nodes).union(*known.pending)
    for record in draft.status.nodes:
        volume = draft.status.volume(record.volume)
        if volume is None or record.node_id not in trusted or record.generation <= max(volume.lineage, default=-1):
            continue
        holds_a_copy = bool(volume.lineage) and volume.service == service.public_key
        if record.command is Command.RECOVER or (holds_a_copy and record.joined_at is None):
            continue
        volume.lineage = [record.generation]
        volume.service = service.public_key


def maybe_trusted(draft: Draft, view: ServiceView, known: Set[str], joiners: Iterable[NodeRecord]) -> Members:
    """Living joiners that may be part of a configuration that nobody has told of yet.

    `known` are the nodes of the configurations that were told of. One that was not told of is in force only if a
    majority of it has it in its ledger, and then one that lives does, as long as a majority of it could still form. So
    where all of them that live answer, on this very look, and none names a joiner, no joiner is part of any.
    """
    living = [r for r in joiners if may_live(r) and r.node_id not in known and _may_have_run(draft, r)]
    ids = frozenset(r.node_id or f"name:{r.name}" for r in living)
    named = any(ids & nodes for testimony in view.testimonies() for nodes in testimony.configurations)
    all_answer = all(_has_testified(draft, view, node) for node in known) and all(_is_outside(draft, r) for r in living)
    return frozenset() if all_answer and not named else ids


def _may_have_run(draft: Draft, record: NodeRecord) -> bool:
    pod = draft.pod(record)
    return record.pod_uid is not None and (pod is None or pod.machine is not None)


def _has_testified(draft: Draft, view: ServiceView, node: str) -> bool:
    record = draft.by_node_id(node) or draft.status.node(node.removeprefix("name:"))
    if record is None or record.ended is not None:
        return record is not None
    answers = view.members.get(record.name)
    return answers is not None and answers.consensus is not None


def _is_outside(draft: Draft, record: NodeRecord) -> bool:
    answers = draft.answers(record)
    return answers is not None and answers.state is not None and answers.state.state == "Pending"


def ended_nodes(draft: Draft) -> Members:
    """Ids of the nodes that have provably ended."""
    return frozenset(record.node_id or f"name:{record.name}" for record in draft.status.nodes if not may_live(record))
