"""Taking a network down: its pods end, its volumes stay.

Pods on machines that work are waited for, so that their end is seen; pods on others are let go at once, since nothing
of this network will ever start on their volumes unless their end is proven anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ccf_operator.api.status import Phase
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import DeletePod, ReleasePod, RemoveFinalizer
from ccf_operator.domain.ends import FINAL_PHASES, proof_of_end
from ccf_operator.domain.facts import want_last_facts
from ccf_operator.domain.observation import MachineView, PodView
from ccf_operator.domain.reasons import Reason
from ccf_operator.domain.releasing import held_back
from ccf_operator.domain.taken import Taken, what_is_taken
from ccf_operator.render.labels import POD_FINALIZER


def take_down(draft: Draft) -> None:
    """Ask for the end of every pod of the network, and for the network's own once none is held by us."""
    status = draft.status
    if status.phase is not Phase.DELETING:
        status.phase, status.phase_since = Phase.DELETING, draft.now
        draft.report(Phase.DELETING.value, "ending the nodes; the volumes stay")
    taken = what_is_taken(draft)
    status.reason, status.next_step = Reason.DELETED.value, _door(draft, taken)
    status.message = f"ending the nodes; {taken.message}" if taken is not None else "ending the nodes; the volumes stay"
    status.governance = None
    for record in status.nodes:
        record.fit = False
        record.stop = record.stop or "Deleted"
    kept = held_back(draft.seen)
    held = [p for p in draft.seen.pods.values() if p.owner_uid == draft.seen.uid and POD_FINALIZER in p.finalizers]
    for pod in held:
        if not pod.deleting:
            draft.do(DeletePod(pod=pod.name, uid=pod.uid))
        if pod.name not in kept and may_go(pod, draft.seen.machines, draft.now):
            draft.do(ReleasePod(pod=pod.name, uid=pod.uid))
    want_last_facts(draft)
    if not held:
        draft.do(RemoveFinalizer())


def _door(draft: Draft, taken: Taken | None) -> str:
    """What can be done about ledgers that would go with the last pods: keep them, or say that they may go."""
    kept = sorted(held_back(draft.seen))
    if taken is None or not kept:
        return taken.door if taken is not None else ""
    pods = f"kubectl -n {draft.seen.namespace} patch pod {' '.join(kept)} --type merge"
    return f"""{taken.door}. To let them go: {pods} -p '{{"metadata":{{"finalizers":null}}}}'"""


def may_go(pod: PodView, machines: Mapping[str, MachineView] | None, now: datetime) -> bool:
    """Whether a pod that is to end is not waited for any longer; `machines` is None where they could not be read."""
    if pod.machine is None or machines is None or proof_of_end(None, pod, machines, now) is not None:
        return True
    if pod.phase in FINAL_PHASES and not pod.ccf.running and not pod.stage.running:
        return True  # rejected: its kubelet has said its last word of it
    machine = machines.get(pod.machine)
    return machine is None or not machine.ready
