"""What somebody has written into the status that cannot be so: taken back for what nodes and kubelets say.

A record that says that a node has ended, or is to end, licenses what destroys; a mark that nobody has reached keeps
every ledger from being chosen.
"""

from __future__ import annotations

from datetime import timedelta

from ccf_operator.api.status import NodeRecord
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.afresh import start_afresh
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.ends import BY_WORD
from ccf_operator.domain.observation import PodView
from ccf_operator.domain.service import ServiceView
from ccf_operator.domain.txid import TxID

SETTLED = timedelta(seconds=10)
"""How old what was seen of a service must be before a later answer that falls short of it counts against it: answers of
one look are of different age."""


def set_aside_what_is_of_nothing(draft: Draft) -> None:
    """Where neither a service nor a node is on record, there can be no volumes, and nothing under way: all is as good
    as gone. A network that has begun has its first node on record until it has met the service.
    """
    status = draft.status
    under_way = (status.attempt, status.start, status.unsettled, status.doubted, status.paused, status.configuration)
    left = bool(status.volumes) or any(one is not None for one in under_way)
    if left and status.service.public_key is None and not status.nodes:
        start_afresh(draft, "the status knows of no service and no node")


def take_back_ends(draft: Draft) -> None:
    """A node has not ended whose very pod its kubelet reports to run, or that answers.

    A container that has ended never runs again. Somebody's word about a machine, once it is taken back, does not stand
    against a kubelet that reports from that machine, which has not booted since.
    """
    for record in draft.status.nodes:
        pod = draft.pod(record)
        if record.ended is None or pod is None or pod.ccf.terminated is not None:
            continue
        answers = draft.seen.answers.get(record.name)
        heard = answers is not None and answers.reached
        by_word = record.ended.evidence in BY_WORD
        if not by_word and (heard or pod.ccf.running):
            how = "it answers" if heard else "its kubelet reports that it runs"
        elif by_word and pod.ccf.running and _reports_from_the_same_boot(draft, record, pod):
            how = "its machine is there, has not booted since, and reports that it runs"
        else:
            continue
        draft.report("EndTakenBack", f"{record.name} has not ended ({record.ended.evidence}): {how}", warning=True)
        record.ended, record.released = None, False


def _reports_from_the_same_boot(draft: Draft, record: NodeRecord, pod: PodView) -> bool:
    known, machine = record.machine, (draft.seen.machines or {}).get(pod.machine or "")
    if known is None or machine is None or known.boot_id is None:
        return False
    there = machine.ready and not machine.out_of_service
    return there and (machine.uid, machine.boot_id) == (known.uid, known.boot_id)


def take_back_stops(draft: Draft, view: ServiceView) -> None:
    """No node of a service is ended before the members have removed it, or a person wants it, or its loss is proven.

    `view` is of the open service. Where nobody is seen to lead it, its last known configuration counts: what may be
    right then is decided once more when a primary tells of it, or an attempt begins. Of a service that is being
    recovered no node is ended that is part of it. What Kubernetes has been asked for cannot be taken back.
    """
    needed, attempt = _needed(draft, view), draft.status.attempt
    for record in draft.alive():
        pod = draft.pod(record)
        mine = record.attempt == (attempt.number if attempt is not None else None)
        if record.stop is None or not mine or record.node_id is None or record.node_id not in needed:
            continue
        if pod is not None and not pod.deleting:
            why = f"{record.name} was to end ({record.stop[:40]}), and is part of the service: it is left alone"
            draft.report("StopTakenBack", why, warning=True)
            record.stop = None


def _needed(draft: Draft, view: ServiceView) -> set[str]:
    """CCF node ids of those that are part of the service, or of the one that is being recovered."""
    status, known = draft.status, draft.status.configuration
    if status.attempt is not None:
        network = status.attempt.network
        return set(network.nodes).union(*network.pending) if network is not None else set()
    if status.start is not None or known is None or known.service != view.key:
        return set()
    removable = view.leader.removable if view.leader is not None else frozenset()
    return set(known.nodes).union(*known.pending) - removable


def correct_high_water_mark(draft: Draft, view: ServiceView) -> None:
    """Take back a mark that the service cannot have reached: its primary and all of its nodes fall short of it."""
    mark, commit = draft.status.high_water_mark, view.commit()
    if mark is None or commit is None or mark.service != view.key or not _all_answer(draft, view):
        return
    age = draft.now - mark.seen_at
    if timedelta(0) <= age < SETTLED or TxID.parse(mark.tx_id) <= commit:
        return
    draft.report(
        "HighWaterMarkCorrected",
        f"{mark.tx_id} was never committed: the primary and all nodes of the service say {commit}",
        warning=True,
    )
    mark.tx_id, mark.seen_at = str(commit), draft.now


def correct_configuration(draft: Draft, view: ServiceView) -> None:
    """Forget a configuration that is on record as committed beyond all that the service's agreed primary has committed.

    It then is written anew from what that one says.
    """
    known, leader = draft.status.configuration, view.leader
    if known is None or leader is None or leader.commit is None or not view.configs or known.service != view.key:
        return
    age = draft.now - known.seen_at
    if has_committed(leader) and known.seqno > leader.commit.seqno and not timedelta(0) <= age < SETTLED:
        draft.report(
            "ConfigurationCorrected",
            f"the configuration was not set at seqno {known.seqno}: the primary has committed {leader.commit}",
            warning=True,
        )
        draft.status.configuration = None


def has_committed(leader: NodeAnswers) -> bool:
    """Whether a primary has committed in its own view, and so knows all that was committed before."""
    consensus, commit = leader.consensus, leader.commit
    return consensus is not None and commit is not None and commit.view == consensus.view


def _all_answer(draft: Draft, view: ServiceView) -> bool:
    leader, known = view.leader, draft.status.configuration
    if leader is None or known is None or not has_committed(leader):
        return False
    heard = {answers.node_id for answers in view.members.values() if answers.commit is not None}
    return set(known.nodes).union(*known.pending) <= heard
