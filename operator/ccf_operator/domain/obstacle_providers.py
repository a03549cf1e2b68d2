"""Who says what is in the way: each looks at one source's words in an observation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from ccf_operator.api.status import CandidateResult, ObstacleSource
from ccf_operator.domain import silence, told_by_events, unregistered
from ccf_operator.domain.candidates import gave_up
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.observation import PodView
from ccf_operator.domain.obstacles import Provider
from ccf_operator.render.labels import VOLUME

ON_ITS_WAY = frozenset({"PodInitializing", "ContainerCreating"})
"""Reasons for which a container waits that say nothing is wrong."""

_SAME = {"ErrImagePull": "ImagePullBackOff"}
"""Reasons that a kubelet gives in turns for one thing."""

ABORTED = "Aborted"


PASSES = timedelta(seconds=10)
"""How long a refusal that may pass, or a new pod without a machine, is nobody's business but the operator's.

A scheduler that has not heard yet of the end of a pod finds no room for the next, and looks again within seconds.
"""


def refusals(draft: Draft) -> None:
    """What the API server says to the operator, where it does not do what it is asked for."""
    told = {(one.source, one.object, one.reason) for one in draft.seen.status.obstacles}
    for one in draft.seen.refusals:
        if one.passing and draft.now - one.since < PASSES:
            continue
        draft.obstruct(one.source, one.about, one.reason, one.message)
        if (one.source, one.about, one.reason) not in told:
            draft.report("Refused", f"{one.about}: {one.reason}: {one.message}", warning=True)


def scheduling(draft: Draft) -> None:
    """What the scheduler says of pods that it cannot place."""
    for pod in _wanted_pods(draft):
        if pod.unschedulable is not None and draft.now - pod.created_at >= PASSES:
            reason, words = _why_unplaced(draft, pod, pod.unschedulable)
            draft.obstruct(ObstacleSource.SCHEDULER, f"Pod {pod.name}", reason, words)


def _why_unplaced(draft: Draft, pod: PodView, words: str) -> tuple[str, str]:
    """The scheduler counts machines and names none: the one that matters is where the volume is."""
    volume = draft.status.volume(pod.labels.get(VOLUME, ""))
    machine = (draft.seen.machines or {}).get((volume.machine if volume is not None else None) or "")
    if volume is None or machine is None or not machine.cordoned:
        return "Unschedulable", words
    return "Cordoned", f"{volume.name} was last used on machine {machine.name}, which is cordoned: {words}"


def waiting_containers(draft: Draft) -> None:
    """What kubelets say of containers that they cannot start, be they ours or put into our pods by others."""
    for pod in _wanted_pods(draft):
        for name, container in pod.every_container.items():
            reason = container.waiting_reason
            if reason is None or reason in ON_ITS_WAY:
                continue
            words = container.waiting_message or "the kubelet says no more"
            draft.obstruct(
                ObstacleSource.KUBELET, f"Pod {pod.name}", _SAME.get(reason, reason), f"container {name}: {words}"
            )


def events(draft: Draft) -> None:
    """What is told by Events alone: of volumes that do not come, of sandboxes, of claims that stay without a volume."""
    for pod in _wanted_pods(draft):
        for told in told_by_events.about_pod(pod, draft.seen.events.get(pod.uid, ()), draft.now):
            draft.obstruct(told.source, f"Pod {pod.name}", told.reason, told.message)
    for volume in draft.status.volumes:
        claim = draft.claim(volume.name)
        if claim is None:
            continue
        for told in told_by_events.about_claim(claim, draft.seen.events.get(claim.uid, ()), draft.now):
            draft.obstruct(told.source, f"PersistentVolumeClaim {claim.name}", told.reason, told.message)


def given_up_nodes(draft: Draft) -> None:
    """Last words of CCF nodes that gave up by themselves, until a later one has done what they were to do."""
    status, attempt = draft.status, draft.status.attempt
    failures = status.join_failures
    if failures is not None and failures.node is not None and failures.said is not None:
        draft.obstruct(ObstacleSource.CCF, f"Pod {failures.node}", ABORTED, failures.said)
    choosing = attempt is not None and attempt.winner is None
    damaged = {c.node for c in attempt.candidates if c.result is CandidateResult.DAMAGED} if attempt is not None else ()
    for record in status.nodes:
        first = status.service.public_key is None and record.stop is None
        said = gave_up(record.ended) if record.ended is not None else None
        if said is not None and (first or (choosing and record.name in damaged)):
            draft.obstruct(ObstacleSource.CCF, f"Pod {record.name}", ABORTED, said)


def unanswering_nodes(draft: Draft) -> None:
    """Nodes that run and do not answer the operator, and joiners of which their service has not heard."""
    for record in silence.told(draft, draft.alive()):
        if record.stop is None and record.silence is not None and record.silence.cause is not None:
            reason = record.silence.cause.value
            draft.obstruct(ObstacleSource.NETWORK, f"Pod {record.name}", reason, silence.what_is_silent(record))
    for record in unregistered.told(draft, draft.alive()):
        words = unregistered.what_it_lacks(draft, record)
        draft.obstruct(ObstacleSource.NETWORK, f"Pod {record.name}", unregistered.NOT_HEARD_OF, words)


def _wanted_pods(draft: Draft) -> Iterator[PodView]:
    """Pods of ours that should come to run: of nodes, and those that read volumes."""
    given_up = {record.name for record in draft.status.nodes if record.stop is not None or record.ended is not None}
    for pod in draft.seen.pods.values():
        if pod.owner_uid == draft.seen.uid and not pod.deleting and pod.name not in given_up:
            yield pod


PROVIDERS: tuple[Provider, ...] = (
    refusals,
    scheduling,
    waiting_containers,
    events,
    given_up_nodes,
    unanswering_nodes,
)
"""All of them."""
