"""What people are told to do about nodes that are not heard: the network first, where nodes run by all that is known.

What would end a node is told after that, and together with what speaks against it.
"""

from __future__ import annotations

from collections.abc import Iterable

from ccf_operator.api.status import NodeRecord
from ccf_operator.domain import silence, unregistered
from ccf_operator.domain.apart import apart, what_is_apart
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.ends import may_live
from ccf_operator.domain.network_advice import against_ending, between_nodes, lives, network_first
from ccf_operator.domain.quorum import cannot_form_again
from ccf_operator.domain.service import ServiceView, ended_nodes
from ccf_operator.domain.suspects import suspects, what_to_do
from ccf_operator.domain.unstarted import about_unstarted, not_started


def what_is_wrong(draft: Draft, records: Iterable[NodeRecord], view: ServiceView | None = None) -> str:
    """Which of these nodes run and do not answer, or cannot join, or are not heard by the primary of `view`, and why;
    empty if none."""
    those = list(records)
    stuck = [unregistered.in_words(draft, record) for record in unregistered.told(draft, those)]
    if view is not None:
        stuck += [f"{record.name} {what_is_apart(view)}" for record in apart(draft, view, those)]
    return "; ".join(filter(None, (silence.in_words_together(silence.told(draft, those)), *stuck)))


def about_silence(draft: Draft) -> str:
    """What to look at where nodes run and do not answer, or cannot join; empty if none."""
    living = list(draft.alive())
    silent = [record for record in silence.told(draft, living) if record.stop is None]
    dark = [record for record in silent if not lives(draft, record)]
    said = [
        network_first(draft, silent) if len(dark) < len(silent) else "",
        about_machines(draft, dark) if dark else "",
        unregistered.about_names(draft, unregistered.told(draft, living)),
    ]
    return ". ".join(filter(None, said))


def about_suspicion(draft: Draft, view: ServiceView, start: str) -> str:
    """What to do while no quorum is seen and no loss is proven; `start` is the command that has all nodes ended.

    Whoever waits for nodes that have ended says that it can never go on, but only its own end proves it.
    """
    ended = ended_nodes(draft)
    waiting = [
        name
        for name, answers in view.members.items()
        if answers.consensus is not None and any(cannot_form_again(c.nodes, ended) for c in answers.consensus.configs)
    ]
    if waiting:
        return (
            f"{', '.join(waiting)} can never have a quorum again, by their own word: to have the service recovered, "
            f"kubectl -n {draft.seen.namespace} delete pod {' '.join(waiting)}"
        )
    waits = not_started(draft)
    silent = [record for record in unheard(draft, view) if record not in waits]
    if not silent and not view.members and (about := about_unstarted(draft, waits)):
        return about
    living = [record for record in silent if lives(draft, record)]
    dark = [record for record in silent if record not in living]
    if not living and view.members and not dark:
        first = f"{between_nodes(draft)}. "
    elif not living:
        ends = "To have all nodes ended, and the service recovered when they have"
        return f"{about_machines(draft, dark)}. {ends}: {start}"
    else:
        machines = f"{about_machines(draft, dark)}. " if dark else ""
        first = f"{look_first(draft, living)}. {machines}"
    return (
        f"{first}Only if the service is of no use to clients either: to have all nodes ended, and it recovered when "
        f"they have: {start}"
    )


def about_the_silent(draft: Draft, view: ServiceView) -> str:
    """What to do about silent nodes of a service that has its quorum.

    Those, too, that were told to stop, and of whose end no report comes: the members can remove them once it is known.
    """
    known = set(draft.status.configuration.nodes) if draft.status.configuration is not None else set()
    told = [record for record in draft.own_nodes() if record.stop is not None and record.name not in view.members]
    silent = [record for record in [*unheard(draft, view), *suspects(draft, told)] if record.node_id in known]
    living = [record for record in silent if lives(draft, record)]
    dark = [record for record in silent if record not in living]
    said = (
        look_first(draft, living) if living else "",
        about_machines(draft, dark) if dark else "",
        between_nodes(draft) if apart(draft, view, draft.own_nodes()) else "",
    )
    return ". ".join(filter(None, said))


def unheard(draft: Draft, view: ServiceView) -> list[NodeRecord]:
    """Nodes of the service whose end is not known and that have not answered."""
    return [r for r in draft.own_nodes() if r.ended is None and r.stop is None and r.name not in view.members]


def look_first(draft: Draft, living: list[NodeRecord]) -> str:
    """Where to look for what keeps the operator from nodes that live, and why they are to be left alone meanwhile."""
    names = ", ".join(record.name for record in living)
    return (
        f"{network_first(draft, living)}. Nothing is to be tainted or deleted for {names} while "
        f"{against_ending(draft, living)}"
    )


_GIVE_UP = (
    "kubectl taint node NAME node.kubernetes.io/out-of-service=nodeshutdown:NoExecute, or delete the Kubernetes Node"
)


def about_machines(draft: Draft, records: Iterable[NodeRecord]) -> str:
    """What to do about machines of nodes whose ends are not known; what is Ready is nobody's to give up."""
    those = [record for record in records if may_live(record)]
    if unclear := suspects(draft, those):
        others = [record for record in those if record not in unclear]
        return ". ".join([what_to_do(draft, unclear), *([about_machines(draft, others)] if others else [])])
    living = [record for record in those if lives(draft, record)]
    find_out = "find out whether the silent nodes' machines still run; for one that is down for good"
    if not living:
        return f"{find_out}: {_GIVE_UP}"
    where = "; ".join(f"{r.name} is reported running on {_machine(draft, r)}, which is Ready" for r in living)
    describe = f"kubectl -n {draft.seen.namespace} describe pod {' '.join(r.name for r in living)}"
    spared = f"{where}: see what the kubelet says ({describe}), and do not give up a machine while that is so"
    if len(living) == len(those):
        return f"{spared}. Only of one that has been switched off since: {_GIVE_UP}"
    return f"{find_out}: {_GIVE_UP}. But {spared}"


def _machine(draft: Draft, record: NodeRecord) -> str:
    pod = draft.pod(record)
    return pod.machine if pod is not None and pod.machine is not None else "its machine"
