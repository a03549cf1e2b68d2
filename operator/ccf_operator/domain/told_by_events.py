"""What is in the way of a pod or a claim that nothing but Events tells: volumes, sandboxes, provisioning.

An Event says what happened, not what is. It counts for the very object it is about, as long as that has not come
further, and until another Event shows that this has healed. Reasons are those of Kubernetes (`pkg/kubelet/events`,
`pkg/controller/volume/events`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ccf_operator.api.status import ObstacleSource, PodState
from ccf_operator.domain.observation import ClaimView, EventView, PodView
from ccf_operator.domain.pod_progress import pod_state

FORGOTTEN = timedelta(minutes=15)
"""A failure that is not told again for so long is over: what fails is tried every 2 minutes at least, and of all that
there is to tell of an object one Event is written in 5 minutes at least."""

PATIENCE = timedelta(seconds=30)
"""How long a provisioner may take before it is worth a word."""

_STUCK = frozenset({PodState.ATTACHING, PodState.STAGED})
"""States of a pod in which only Events say what keeps it."""


@dataclass(frozen=True)
class _Kind:
    """Who writes Events of a reason, and those that show that it is over."""

    source: ObstacleSource
    healed_by: frozenset[str] = frozenset()
    once: bool = False
    """It is not written again while it stands."""
    after: timedelta = timedelta()
    """It is in nobody's way before it has stood for so long."""


_IN_SANDBOX = frozenset({"Pulling", "Pulled", "Created", "Started"})
"""They come when the sandbox is there, and long before the kubelet reports its address where an image is pulled."""

_TOWARDS_SANDBOX = _IN_SANDBOX | {"FailedCreatePodSandBox"}
"""They come when all volumes are there."""

_OF_PODS: Mapping[str, _Kind] = {
    "FailedAttachVolume": _Kind(ObstacleSource.STORAGE, _TOWARDS_SANDBOX | {"SuccessfulAttachVolume"}, once=True),
    "FailedMount": _Kind(ObstacleSource.KUBELET, _TOWARDS_SANDBOX),
    "FailedMapVolume": _Kind(ObstacleSource.KUBELET, _TOWARDS_SANDBOX),
    "NetworkNotReady": _Kind(ObstacleSource.KUBELET, _TOWARDS_SANDBOX),
    "FailedPrepareDynamicResources": _Kind(ObstacleSource.KUBELET, _TOWARDS_SANDBOX),
    "FailedCreatePodSandBox": _Kind(ObstacleSource.KUBELET, _IN_SANDBOX),
}

_OF_CLAIMS: Mapping[str, _Kind] = {
    "ProvisioningFailed": _Kind(ObstacleSource.STORAGE, frozenset({"ProvisioningSucceeded"})),
    "FailedBinding": _Kind(ObstacleSource.STORAGE, frozenset({"ExternalProvisioning", "WaitForFirstConsumer"})),
    "VolumeMismatch": _Kind(ObstacleSource.STORAGE),
    "ExternalProvisioning": _Kind(ObstacleSource.STORAGE, frozenset({"ProvisioningSucceeded"}), after=PATIENCE),
}


@dataclass(frozen=True)
class Told:
    """What an Event says is in the way."""

    source: ObstacleSource
    reason: str
    message: str


def is_stuck(pod: PodView) -> bool:
    """Whether nothing but Events would say what keeps a pod where it is."""
    return not pod.deleting and pod_state(pod) in _STUCK


def is_unbound(claim: ClaimView) -> bool:
    """Whether nothing but Events would say why a claim has no volume."""
    return not claim.deleting and claim.phase == "Pending"


def about_pod(pod: PodView, events: Iterable[EventView], now: datetime) -> Iterator[Told]:
    """What keeps a pod from coming further."""
    if is_stuck(pod):
        staged = pod.stage.terminated.finished_at if pod.stage.terminated is not None else None
        yield from _told(_OF_PODS, [one for one in events if staged is None or one.last_at >= staged], now)


def about_claim(claim: ClaimView, events: Iterable[EventView], now: datetime) -> Iterator[Told]:
    """What keeps a claim from getting its volume."""
    if is_unbound(claim):
        yield from _told(_OF_CLAIMS, list(events), now)


def _told(kinds: Mapping[str, _Kind], events: list[EventView], now: datetime) -> Iterator[Told]:
    last = {one.reason: one for one in sorted(events, key=lambda one: one.last_at)}
    for reason, kind in kinds.items():
        found = last.get(reason)
        if found is None or now - found.first_at < kind.after:
            continue
        is_over = any(other in last and last[other].last_at >= found.last_at for other in kind.healed_by)
        if not is_over and (kind.once or now - found.last_at < FORGOTTEN):
            yield Told(kind.source, reason, found.message)
