"""What platforms do to a network: kubelets that reject, what is taken away or refused, and nodes that answer late."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from ccf_operator.domain import effects as fx
from unit.simulation.history import History
from unit.simulation.kubernetes_model import IMAGE, Pod

REASONS = ("NodeAffinity", "UnexpectedAdmissionError", "Evicted", "Preempting")
"""Why kubelets give pods up."""

BROKEN_IMAGE = "ccf:7-not-there"
"""An image that cannot be pulled."""


def _chosen(pods: list[Pod], pick: int) -> list[Pod]:
    """One of them, or (from 24 on) those of one machine."""
    if not pods:
        return []
    one = pods[pick % len(pods)]
    return [pod for pod in pods if pod.machine == one.machine] if pick >= 24 else [one]


def _reject(history: History, pick: int, how: int) -> None:
    """A kubelet gives pods up; what they ran has ended or not, and it reports that at once, when asked to, or never."""
    pods = [p for p in history.cluster.pods.values() if p.machine and not p.terminal and not p.rejected]
    for pod in _chosen(pods, pick):
        history.cluster.reject(
            pod.name,
            REASONS[pick % len(REASONS)],
            runs_on=how % 2 == 0,
            reports=("now", "deleted", "deleted", "never")[how // 2],
        )


def _image(history: History, pick: int, how: int) -> None:
    """The image of the spec cannot be pulled any more, or (0) can be."""
    history.correct_image(BROKEN_IMAGE if how else IMAGE)


def _delete_object(history: History, pick: int, how: int) -> None:
    """Somebody deletes what is not a pod and not a claim: a node's ConfigMap, or what clients are told."""
    if how % 2:
        history.cluster.identity = None
    elif names := sorted(history.cluster.config_maps):
        history.cluster.config_maps.discard(names[pick % len(names)])
        history.cluster.deleted_config_maps.add(names[pick % len(names)])


def _cordon(history: History, pick: int, how: int) -> None:
    """Machines are cordoned (0: all, or none of them any more)."""
    for number, machine in enumerate(history.cluster.machines.values()):
        machine.cordoned = how > 0 and (not pick or bool((pick >> number) & 1))


def _drain(history: History, pick: int, how: int) -> None:
    """A machine is drained by force: it is cordoned, and its pods are deleted."""
    machines = list(history.cluster.machines.values())
    machine = machines[pick % len(machines)]
    machine.cordoned = True
    for pod in [pod for pod in history.cluster.pods.values() if pod.machine == machine.name]:
        history.delete_by_hand(pod.name)


def _refuse_all(history: History, pick: int, how: int) -> None:
    """The API server refuses all that changes anything, or (0) nothing any more; events are published all the same."""
    every = frozenset(kind for kind in get_args(fx.Effect) if kind is not fx.Report)
    history.refused = every if how else frozenset()


def _conflicts(history: History, pick: int, how: int) -> None:
    """Status updates meet a conflict so many times: nothing of what was decided is done."""
    for _ in range(1 + how):
        history.look(lost_update=True)


def _late_answers(history: History, pick: int, how: int) -> None:
    """Nodes answer only after a while; more than ten seconds is as good as never (0: at once)."""
    for number, pod in enumerate(history.processes()):
        if pod.process is not None and (pick >> (number % 5)) & 1:
            pod.process.answers_after = (0.0, 3.0, 6.0, 9.5, 14.0)[how % 5]


PLATFORM: dict[str, Callable[[History, int, int], None]] = {
    "reject": _reject,
    "image": _image,
    "delete object": _delete_object,
    "cordon": _cordon,
    "drain": _drain,
    "refuse all": _refuse_all,
    "conflicts": _conflicts,
    "late answers": _late_answers,
}
