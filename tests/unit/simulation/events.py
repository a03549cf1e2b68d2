"""Random events: what can happen to a network, drawn by hypothesis and applied to a history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from ccf_operator.api.decision import Action
from ccf_operator.api.status import Counters, PodState, ServiceStatus
from ccf_operator.domain import effects as fx
from unit.simulation.history import History
from unit.simulation.kubernetes_model import Machine, Pod
from unit.simulation.platform_events import PLATFORM

REFUSABLE: tuple[type[fx.Effect], ...] = (
    fx.CreateNode,
    fx.DeletePod,
    fx.LabelPod,
    fx.CreateVolume,
    fx.ReleasePod,
    fx.AnnotateVolume,
    fx.ExploreVolume,
    fx.DeleteConfigMap,
)
"""Kinds of effects that a policy, a quota or a webhook may refuse."""


@dataclass(frozen=True)
class Event:
    """Something that happens; `pick` chooses to whom among those there are, `how` is what else there is to choose."""

    kind: str
    pick: int = 0
    how: int = 0

    def __repr__(self) -> str:
        return f"({self.kind!r}, {self.pick}, {self.how})"


def _pod(history: History, pick: int) -> Pod | None:
    pods = history.processes()
    return pods[pick % len(pods)] if pods else None


def _machine(history: History, pick: int) -> Machine:
    machines = list(history.cluster.machines.values())
    return machines[pick % len(machines)]


def _look(history: History, pick: int, how: int) -> None:
    history.look(stop_after=how if pick == 1 else None, lost_update=pick == 2)


def _looks(history: History, pick: int, how: int) -> None:
    for _ in range(how + 1):
        history.look()


def _on_pod(act: Callable[[History, Pod, int], None]) -> Callable[[History, int, int], None]:
    def happen(history: History, pick: int, how: int) -> None:
        if (pod := _pod(history, pick)) is not None:
            act(history, pod, how)

    return happen


def _freeze(_: History, pod: Pod, how: int) -> None:
    if pod.process is not None:
        pod.process.frozen = how % 2 == 0


def _mute(_: History, pod: Pod, how: int) -> None:
    if pod.process is not None:
        pod.process.mute = how % 2 == 0


def _impostor(_: History, pod: Pod, how: int) -> None:
    pod.impostor = how % 2 == 0


def _slow(_: History, pod: Pod, how: int) -> None:
    if pod.process is not None:
        pod.process.slow = how % 2 == 0


def _rot(_: History, pod: Pod, how: int) -> None:
    if pod.process is not None:
        pod.process.rotten = True


def _lie(history: History, pod: Pod, how: int) -> None:
    """A candidate of which nothing is known yet will not tell the truth."""
    attempt = history.status.attempt
    unknown = {c.node for c in attempt.candidates if c.result is None} if attempt is not None else set()
    if pod.process is not None and pod.name in unknown:
        pod.process.lie = 1 + how % 3


def _torn_look(history: History, pick: int, how: int) -> None:
    """Something happens while the operator looks: what it saw of the cluster is older than what nodes say."""
    meanwhile: tuple[Callable[[], None], ...] = (
        lambda: _on_pod(lambda history, pod, how: history.kill(pod.name))(history, pick, how),
        lambda: _on_pod(lambda history, pod, how: history.delete_by_hand(pod.name))(history, pick, how),
        lambda: _power(history, pick, how),
        lambda: history.pass_time(3),
        lambda: history.submit_shares(),
    )
    history.look(between=meanwhile[how % len(meanwhile)])


def _partition(history: History, pick: int, how: int) -> None:
    for number, pod in enumerate(history.processes()):
        if pod.process is not None:
            pod.process.side = (pick >> number) & 1 if how % 3 else 0
    if how % 3 == 1:
        for pod in history.processes():
            history.append_in_vain(pod.name, how)


def _write(history: History, pick: int, how: int) -> None:
    pods = [pod.name for number, pod in enumerate(history.processes()) if (how >> number) & 1]
    history.write(to=None if pick % 2 else pods)


def _power(history: History, pick: int, how: int) -> None:
    machine = _machine(history, pick)
    if machine.on:
        history.cluster.power_off(machine.name)
    elif how % 3 == 0:
        history.cluster.power_on(machine.name, says="Error" if pick % 2 else "Unknown")
    elif how % 3 == 1:
        machine.tainted = True
    else:
        machine.exists = False


def _power_cut(history: History, pick: int, how: int) -> None:
    machine = _machine(history, pick)
    if machine.on:
        history.cluster.power_off(machine.name, unsynced=how)


def _cut(history: History, pick: int, how: int) -> None:
    _machine(history, pick).cut = how % 2 == 0


def _operator(history: History, _pick: int, how: int) -> None:
    """The operator reaches no node any more, or does again."""
    if how % 2 == 0:
        history.cut_operator_off()
    else:
        history.cut_off_since = None


def _believed_gone(history: History, pick: int, how: int) -> None:
    """People say of machines that they are gone, and they are not.

    What lies between the control plane and some machines fails, as a switch or a firewall does: neither the API server
    nor the operator hears of them, while their nodes go on and reach one another and clients. After a while somebody,
    or the controller of the cloud, taints them out-of-service or deletes their Kubernetes Nodes. What is to delete
    their pods may be late, as a controller manager that has failed over is.
    """
    for number, machine in enumerate(history.cluster.machines.values()):
        if machine.on and (pick >> number) & 1:
            history.cluster.lose_sight(machine.name)
            history.cluster.give_up(machine.name, deleted=how % 2 == 1, lingers=how % 4 > 1)


def _came_back(history: History, pick: int, how: int) -> None:
    """Some or all (0) are heard again; their kubelets come back too or not, and what was said is taken back or not."""
    for number, machine in enumerate(history.cluster.machines.values()):
        if not machine.on or not (machine.given_up or machine.cut) or (pick and not (pick >> number) & 1):
            continue
        history.cluster.hear_again(machine.name)
        if how % 4 > 0:
            history.cluster.take_back(machine.name)
        machine.cut = machine.cut and how % 4 < 2


def _refuse(history: History, pick: int, how: int) -> None:
    """The API server refuses some kinds of effects from now on, or (0) none."""
    history.refused = (
        frozenset(kind for number, kind in enumerate(REFUSABLE) if (pick >> (number % 5)) & 1) if how else frozenset()
    )


def _shares(history: History, pick: int, how: int) -> None:
    history.submit_shares(reading=pick % 4, commit=pick % 8 != 4)
    if how % 4 == 3 and (leader := history.recovering_leader()) is not None:
        history.kill(leader.pod)


def _lose_claim(history: History, pick: int, how: int) -> None:
    if names := sorted(history.cluster.claims):
        history.lose_claim(names[pick % len(names)])


def _delete_claim(history: History, pick: int, how: int) -> None:
    """Somebody deletes one or all (7) of the claims, used or not; their volumes stay or go along."""
    claims = sorted(name for name, claim in history.cluster.claims.items() if not claim.deleting)
    if claims:
        chosen = claims if how == 7 else [claims[pick % len(claims)]]
        history.delete_claims(*chosen, retained=how % 2 == 0)


def _damage(history: History, pick: int, how: int) -> None:
    if names := sorted(history.cluster.claims):
        history.cluster.claims[names[pick % len(names)]].damage = how


def _lose_status(history: History, pick: int, how: int) -> None:
    if how == 0:
        history.lose_status()


def _old_status(history: History, pick: int, how: int) -> None:
    history.put_back((1, 3, 8, 20, 60, 10**6)[pick % 6])


def _edited_status(history: History, pick: int, how: int) -> None:
    """Somebody edits the status: parts of it are gone, or say what is not so."""
    status = history.status
    edits: tuple[dict[str, object], ...] = (
        {"nodes": []},
        {"volumes": []},
        {"service": ServiceStatus()},
        {"nodes": [], "volumes": []},
        {"nodes": status.nodes[1:]},
        {"volumes": status.volumes[:-1]},
        {"counters": Counters()},
        {"configuration": None, "high_water_mark": None},
    )
    history.edit_status(**edits[how % len(edits)])


def _nodes(history: History, pick: int, how: int) -> None:
    history.spec = history.spec.model_copy(update={"nodes": 1 + how % 4})
    history.generation += 1


def _decide(history: History, pick: int, how: int) -> None:
    volumes = sorted(history.cluster.claims)
    volume = volumes[pick % len(volumes)] if volumes else None
    action = (Action.APPROVE, Action.ABORT, Action.RESUME, Action.EXCLUDE, Action.PIN)[how % 5]
    history.decide(action, volume=volume if action in (Action.EXCLUDE, Action.PIN) else None)


def _decide_late(history: History, pick: int, how: int) -> None:
    """A decision about what was shown before: it must change nothing of what is shown now."""
    history.shown_token()
    if history.tokens:
        history.decide(Action.APPROVE, token=history.tokens[pick % len(history.tokens)])


def _stuck(history: History, pick: int, how: int) -> None:
    """The next pods come no further than some state; or those that are stuck are freed."""
    states = (PodState.ATTACHING, PodState.PULLING, PodState.CREATING, PodState.STAGING, PodState.STAGED)
    if how < 5:
        history.cluster.sticks += [states[how]] * (1 + pick % 3)
    else:
        history.free_stuck()


TAKEN_AWAY: dict[str, Callable[[History, int, int], None]] = {"delete claim": _delete_claim}
"""What is in use is deleted."""

PUT_BACK: dict[str, Callable[[History, int, int], None]] = {
    "old status": _old_status,
    "edited status": _edited_status,
}
"""A status of before is put back, or somebody edits it."""

HAPPENS: dict[str, Callable[[History, int, int], None]] = {
    "look": _look,
    "torn look": _torn_look,
    "looks": _looks,
    "write": _write,
    "kill": _on_pod(lambda history, pod, how: history.kill(pod.name)),
    "delete": _on_pod(lambda history, pod, how: history.delete_by_hand(pod.name)),
    "freeze": _on_pod(_freeze),
    "mute": _on_pod(_mute),
    "impostor": _on_pod(_impostor),
    "slow": _on_pod(_slow),
    "stuck": _stuck,
    "rot": _on_pod(_rot),
    "lie": _on_pod(_lie),
    "partition": _partition,
    "power": _power,
    "power cut": _power_cut,
    "cut": _cut,
    "operator cut off": _operator,
    "believed gone": _believed_gone,
    "came back": _came_back,
    "late": lambda history, pick, how: history.do_late(),
    "time": lambda history, pick, how: history.pass_time((1, 35, 130, 700)[how % 4]),
    "accept": lambda history, pick, how: history.accept(),
    "shares": _shares,
    "trust": lambda history, pick, how: history.trust_and_remove(),
    "nodes": _nodes,
    "lose status": _lose_status,
    **PUT_BACK,
    "refuse": _refuse,
    "lose claim": _lose_claim,
    "damage": _damage,
    "start": lambda history, pick, how: history.start_recovery(),
    "decide": _decide,
    "decide late": _decide_late,
    **TAKEN_AWAY,
}

PEOPLE = frozenset({"decide", "decide late", "start"})
MISLED = frozenset({"lose status", *PUT_BACK})
"""After these what is known of ends may be gone, and a person may have to start a recovery."""
LOSSY = frozenset({"power cut", "lose claim", "damage", "lie", *TAKEN_AWAY}) | MISLED
"""After these something may really be missing, and a person may have to be asked."""

UNDECIDED = tuple(kind for kind in HAPPENS if kind not in PEOPLE)
HARMLESS = tuple(kind for kind in UNDECIDED if kind not in LOSSY)
_OFTEN = ("look", "looks", "looks", "write", "kill", "delete", "accept", "shares")


def events(*kinds: str, least: int = 12, most: int = 60) -> st.SearchStrategy[list[Event]]:
    """Sequences of events of these kinds, in which looks, writes, ends and members' acts are frequent."""
    drawn = st.sampled_from([*kinds, *(kind for kind in _OFTEN if kind in kinds)])
    return st.lists(st.builds(Event, drawn, st.integers(0, 31), st.integers(0, 7)), min_size=least, max_size=most)


def happen(history: History, sequence: list[Event]) -> None:
    """Apply the events one after the other; what must hold is checked after each."""
    for event in sequence:
        (HAPPENS | PLATFORM)[event.kind](history, event.pick, event.how)
        history.check()
