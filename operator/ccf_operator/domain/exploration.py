"""Reading found volumes of which the claims say nothing, or not the last word: a pod for each.

What it finds is written onto the claim. A claim's word is not the last where the status was lost while nodes ran: a
later service may have been opened since.
"""

from __future__ import annotations

import json
from collections.abc import Set
from datetime import datetime, timedelta
from typing import Any

from ccf_operator.api.spec import seconds
from ccf_operator.api.status import FoundVolume, StageProgress
from ccf_operator.api.volume_facts import VolumeFacts, read_facts, write_facts
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import AnnotateVolume, DeletePod, ExploreVolume
from ccf_operator.domain.ends import proof_of_end
from ccf_operator.domain.made_of import explorer_made_of
from ccf_operator.domain.observation import ClaimView, PodView
from ccf_operator.domain.pod_progress import moved, reads_no_further
from ccf_operator.domain.releasing import holds
from ccf_operator.render import names
from ccf_operator.render.labels import RECOVERY_FACTS, ROLE, Role

GAP = 100
"""Numbers left out above those seen where what is left may not show all that were given: by a network that has lost its
status, by a volume that does not read."""

UNPLACED = timedelta(seconds=30)
"""How long the scheduler may find no machine for an explorer; the volume may be bound to one that is gone."""


def facts_on(claim: ClaimView) -> VolumeFacts | None:
    """What a claim says of the ledger on its volume."""
    return read_facts(claim.annotations.get(RECOVERY_FACTS))


def may_still_run(draft: Draft) -> list[str]:
    """Names of pods of an earlier network whose end is not proven."""
    return sorted(
        pod.name
        for pod in draft.seen.pods.values()
        if not explores(pod) and proof_of_end(None, pod, draft.seen.machines, draft.now) is None
    )


def want_exploration(draft: Draft, claims: list[ClaimView], others: Set[str] = frozenset()) -> None:
    """Have each of these claims' volumes read on which there is no last word; an explorer goes when it has served.

    `others` are explorers that are wanted for something else.
    """
    wanted = set(others)
    for claim in claims:
        known = facts_on(claim)
        if is_read(claim) or claim.deleting or may_still_run(draft):
            continue
        pod = _explorer(draft, claim)
        wanted.add(names.explorer(draft.seen.name, claim.uid))
        if pod is not None and _makes_way(draft, pod):
            draft.do(DeletePod(pod=pod.name, uid=pod.uid))
        elif pod is None:
            draft.do(ExploreVolume(volume=claim.name, claim_uid=claim.uid))
        elif (found := _last_word(known, pod)) is not None:
            draft.do(AnnotateVolume(volume=claim.name, uid=claim.uid, facts=write_facts(found)))
    for pod in draft.seen.pods.values():
        if explores(pod) and pod.owner_uid == draft.seen.uid and pod.name not in wanted and not pod.deleting:
            if holds(draft.seen, pod) is not None:
                continue
            draft.do(DeletePod(pod=pod.name, uid=pod.uid))


def _makes_way(draft: Draft, explorer: PodView) -> bool:
    """Whether another reads in its place: it has not started for too long, or the spec would make it otherwise by now,
    or something else than the volume ended it a while ago."""
    if explorer.deleting or explorer.explorer.running:
        return False
    recovery = draft.seen.spec.recovery
    ended = explorer.explorer.terminated
    if ended is None:
        now_made_of = explorer_made_of(draft.seen.spec, draft.seen.stage_image)
        corrected = bool(draft.seen.stage_image) and explorer.made_of not in (None, now_made_of)
        waits = explorer.unschedulable is not None
        return corrected or (not waits and _is_over(explorer.created_at, recovery.start_deadline, draft.now))
    return not _said(explorer) and _is_over(
        ended.finished_at or explorer.created_at, recovery.start_deadline, draft.now
    )


def progress(draft: Draft, claim: ClaimView, known: FoundVolume | None) -> StageProgress | None:
    """How far the reading of a volume has come; `known`: as it was last described."""
    pod = _explorer(draft, claim)
    if pod is None or not pod.explorer.running:
        return None
    return moved(
        known.read if known is not None else None, draft.seen.read.get(pod.name), draft.seen.spec.recovery, draft.now
    )


def being_read(read: StageProgress | None) -> str:
    """How far a reading has come, in words."""
    if read is None or read.total == 0:
        return "being read"
    return f"being read, {read.done / 2**20:.1f} of {read.total / 2**20:.1f} MiB so far"


def _last_word(known: VolumeFacts | None, explorer: PodView) -> VolumeFacts | None:
    """What claim and volume say together: the volume knows of a later service, the claim more about the same one.

    How often that was recovered its ledger says, whatever somebody has written onto the claim.
    """
    said = _said(explorer)
    if "facts" not in said:
        return None
    found = read_facts(json.dumps(said["facts"]))
    if known is not None and found is not None and found.service_key == known.service_key:
        known = known.model_copy(update={"recovery_count": found.recovery_count})
    if known is not None and (found is None or found.recovery_count <= known.recovery_count):
        unused = [known.lineage[-1] + 1, known.next_generation or 0]
        # A volume that shows nothing does not tell either which of its generations were given away.
        unused.append(found.next_generation or 0 if found is not None else max(unused) + GAP)
        return known.model_copy(update={"final": True, "next_generation": max(unused)})
    return found.model_copy(update={"final": True}) if found is not None else None


def is_read(claim: ClaimView) -> bool:
    """Whether a claim tells the last word on its volume."""
    known = facts_on(claim)
    return known is not None and known.final


def why_given_up(
    draft: Draft, claim: ClaimView, since: datetime | None, read: StageProgress | None = None
) -> str | None:
    """Why the last word on a volume is not waited for (any longer), in a sentence; None while it is.

    `since`: when the volume was first to be read; `read`: how far that has come.

    Every wait ends: reading that goes on is still heard, if it ends.
    """
    if claim.deleting:
        return "its claim is being deleted"
    pod, recovery, now = _explorer(draft, claim), draft.seen.spec.recovery, draft.now
    if draft.refusal(ExploreVolume, AnnotateVolume, of=claim.name) is not None:
        return None  # nothing is late that could not be done
    since = since or now
    if pod is not None and (ended := pod.explorer.terminated) is not None:
        if _last_word(facts_on(claim), pod) is None:
            return _nothing_found(pod, ended.message)
        late = _is_over(ended.finished_at or since, recovery.start_deadline, now)
        return "what was read could not be written onto its claim" if late else None
    if pod is not None and pod.explorer.running:
        late = reads_no_further(pod.explorer.started_at or since, read, recovery, now)
        said = f" for {recovery.candidate_deadline}" if read is not None else ", as far as is known"
        return f"it is being read, and comes no further{said}" if late else None
    if pod is not None and pod.unschedulable is not None and now - since > UNPLACED:
        return f"no machine can read it: {pod.unschedulable}"
    if not _is_over(since, recovery.start_deadline, now):
        return None
    said = pod.explorer.waiting_reason or pod.phase if pod is not None else "it could not be made"
    return f"the pod that reads it did not start within {recovery.start_deadline} ({said})"


def _is_over(since: datetime, limit: str, now: datetime) -> bool:
    return now - since > timedelta(seconds=seconds(limit))


def _nothing_found(explorer: PodView, message: str) -> str:
    problems = _said(explorer).get("problems")
    if not isinstance(problems, list):
        return f"it could not be read: {message[-200:]}"
    return f"it shows no ledger of a service that was open: {'; '.join(map(str, problems))}"


def _explorer(draft: Draft, claim: ClaimView) -> PodView | None:
    pod = draft.seen.pods.get(names.explorer(draft.seen.name, claim.uid))
    return pod if pod is not None and pod.owner_uid == draft.seen.uid and explores(pod) else None


def explores(pod: PodView) -> bool:
    """Whether a pod is no node, but reads a volume that was found."""
    return pod.labels.get(ROLE) == Role.EXPLORER.value


def _said(pod: PodView) -> dict[str, Any]:
    if pod.explorer.terminated is None:
        return {}
    try:
        found = json.loads(pod.explorer.terminated.message)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
