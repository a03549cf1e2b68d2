"""How far the pod of a node has come, since when, and when it is not waited for any longer.

A pod can be stuck in each of its states: unplaced, with a volume that does not come, an image that cannot be pulled, a
sandbox that was lost after its init container had ended (under `restartPolicy: Never` such a pod is Pending for ever).
Each state has a deadline of its own that begins with it. While `stage` reads, what it says of its progress moves it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ccf_operator.api.spec import Recovery, seconds
from ccf_operator.api.status import NodeRecord, PodState, StageProgress
from ccf_operator.domain.observation import ContainerView, PodView, ReadBytes

UNHEARD = 6
"""`stage` that cannot be asked how far it has come gets so many times the longest of the deadlines."""

LONGEST = timedelta(hours=1)
"""The longest that a pod is waited for in one state, after doublings for the tries before it."""

PROGRESS_INTERVAL = timedelta(seconds=5)
"""Least time between two notes of progress: what grows all the time is not written at every look."""

UNTIL_IT_RUNS = frozenset({PodState.ATTACHING, PodState.PULLING, PodState.CREATING, PodState.STAGING, PodState.STAGED})
"""States of a pod that has its machine and whose node has not started: what keeps it there is on that machine.

One that is not created waits for the API server, one that is not placed for the scheduler: another pod would wait for
the same. They are not ended here for having waited.
"""

NOT_STARTED = "NotStarted"
"""Why a node is stopped whose pod is not waited for any longer."""

_IN_WORDS = {
    PodState.NOT_CREATED: "its pod is not created",
    PodState.UNSCHEDULED: "its pod has no machine",
    PodState.ATTACHING: "its volumes or its network are not ready",
    PodState.PULLING: "an image is not there",
    PodState.CREATING: "a container cannot be created",
    PodState.STAGING: "stage reads, and comes no further",
    PodState.STAGED: "stage has ended well, and CCF is not started",
    PodState.RUNNING: "it runs",
    PodState.ENDED: "it has ended",
    PodState.REJECTED: "its pod was rejected",
}

_PULLING = frozenset(
    {
        "ErrImagePull",
        "ErrImageNeverPull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
"""The kubelet's reasons for a container that waits for its image."""

_UNTOLD = frozenset({None, "", "PodInitializing", "ContainerCreating"})
"""Reasons that say no more than that a container does not run yet."""

_RAN = frozenset({PodState.RUNNING, PodState.ENDED})

_FINAL_PHASES = frozenset({"Failed", "Succeeded"})


def pod_state(pod: PodView | None) -> PodState:
    """The state of a node's pod; None: it was not created yet."""
    if pod is None:
        return PodState.NOT_CREATED
    if pod.ccf.running:
        return PodState.RUNNING
    if pod.ccf.terminated is not None:
        return PodState.ENDED
    if pod.stage.terminated is not None and pod.stage.terminated.exit_code != 0:
        return PodState.ENDED
    if pod.phase in _FINAL_PHASES:
        return PodState.REJECTED
    if pod.machine is None:
        return PodState.UNSCHEDULED
    if pod.stage.running:
        return PodState.STAGING
    if pod.stage.terminated is not None:
        return _waiting(pod.ccf) or PodState.STAGED
    # The address is the sandbox's, which is made once the volumes are there.
    return _waiting(pod.stage) or (PodState.ATTACHING if pod.ip is None else PodState.PULLING)


def _waiting(container: ContainerView) -> PodState | None:
    if container.waiting_reason in _UNTOLD:
        return None
    return PodState.PULLING if container.waiting_reason in _PULLING else PodState.CREATING


def in_words(state: PodState | None) -> str:
    """What a state says of a node."""
    return _IN_WORDS[state or PodState.NOT_CREATED]


def note_progress(
    record: NodeRecord, pod: PodView | None, read: ReadBytes | None, recovery: Recovery, now: datetime
) -> None:
    """Note a node's state, since when it is in it, and how far its `stage` has come.

    A pod that was there and is not any more shows nothing: its node stays as it was last seen. `read`: what its `stage`
    says, None where it was not heard.
    """
    if pod is None and record.pod_uid is not None:
        return
    state = pod_state(pod)
    if state is not record.state or record.state_since is None:
        record.state, record.state_since = state, now
    if state is not PodState.STAGING:
        record.staged = None
    else:
        record.staged = moved(record.staged, read, recovery, now)


def moved(
    known: StageProgress | None, read: ReadBytes | None, recovery: Recovery, now: datetime
) -> StageProgress | None:
    """The progress of a reading, from what was known of it and what it says now (None: it was not heard)."""
    interval = min(PROGRESS_INTERVAL, timedelta(seconds=seconds(recovery.candidate_deadline)) / 4)
    if read is None or (known is not None and (read.done <= known.done or now - known.at < interval)):
        return known
    return StageProgress(done=read.done, total=max(read.total, read.done), at=now)


def has_waited_too_long(record: NodeRecord, recovery: Recovery, now: datetime) -> bool:
    """Whether a node that has not started is not waited for any longer in the state it is in."""
    if record.state not in UNTIL_IT_RUNS or record.state_since is None:
        return False
    since, limit = record.state_since, _start(recovery)
    if record.state is PodState.STAGING:
        return reads_no_further(since, record.staged, recovery, now)
    doubled: timedelta = limit * 2 ** min(record.tries, 10)
    return now - since > min(doubled, max(limit, LONGEST))


def reads_no_further(since: datetime, read: StageProgress | None, recovery: Recovery, now: datetime) -> bool:
    """Whether a reading that began at `since` is not waited for any longer; `read` None: it was never heard of."""
    progress = timedelta(seconds=seconds(recovery.candidate_deadline))
    begun, limit = (read.at, progress) if read is not None else (since, UNHEARD * max(_start(recovery), progress))
    return now - begun > limit


def _start(recovery: Recovery) -> timedelta:
    return timedelta(seconds=seconds(recovery.start_deadline))


def may_have_started(record: NodeRecord, pod: PodView | None) -> bool:
    """Whether the process of a node may have run: it was seen, or its pod is gone and with it what would tell."""
    if record.node_id is not None or record.started_at is not None or record.state in _RAN:
        return True
    if pod is None:
        return record.pod_uid is not None
    return pod.ccf.running or pod.ccf.terminated is not None or pod.ccf.started_at is not None
