"""Reading found volumes whose claims say nothing: a pod for each, whose answer is written onto the claim."""

from __future__ import annotations

import json
from typing import Any

from ccf_operator.api.volume_facts import VolumeFacts, read_facts, write_facts
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import AnnotateVolume, DeletePod, ExploreVolume
from ccf_operator.domain.ends import proof_of_end
from ccf_operator.domain.observation import ClaimView, PodView
from ccf_operator.render import names
from ccf_operator.render.labels import RECOVERY_FACTS, ROLE, Role


def facts_on(claim: ClaimView) -> VolumeFacts | None:
    """What a claim says of the ledger on its volume."""
    return read_facts(claim.annotations.get(RECOVERY_FACTS))


def may_still_run(draft: Draft) -> list[str]:
    """Names of pods of an earlier network whose end is not proven."""
    return sorted(
        pod.name
        for pod in draft.seen.pods.values()
        if not _explores(pod) and proof_of_end(None, pod, draft.seen.machines, draft.now) is None
    )


def want_exploration(draft: Draft, claims: list[ClaimView]) -> None:
    """Have each of these claims' volumes read whose claim says nothing, once; an explorer goes when it has served."""
    wanted: set[str] = set()
    for claim in claims:
        if facts_on(claim) is not None or claim.deleting or may_still_run(draft):
            continue
        pod = _explorer(draft, claim)
        wanted.add(names.explorer(draft.seen.name, claim.uid))
        if pod is None:
            draft.do(ExploreVolume(volume=claim.name, claim_uid=claim.uid))
        elif (found := read_facts(json.dumps(_said(pod).get("facts")))) is not None:
            draft.do(AnnotateVolume(volume=claim.name, uid=claim.uid, facts=write_facts(found)))
    for pod in draft.seen.pods.values():
        if _explores(pod) and pod.owner_uid == draft.seen.uid and pod.name not in wanted and not pod.deleting:
            draft.do(DeletePod(pod=pod.name, uid=pod.uid))


def progress_of(draft: Draft, claim: ClaimView) -> str:
    """What is known of a volume whose claim says nothing, in a sentence."""
    if may_still_run(draft):
        return "not read while pods may still write to it"
    pod = _explorer(draft, claim)
    if pod is None or pod.explorer.terminated is None:
        return f"being read ({pod.unschedulable})" if pod is not None and pod.unschedulable else "being read"
    problems = _said(pod).get("problems")
    if not isinstance(problems, list):
        return f"it could not be read: {pod.explorer.terminated.message[-200:]}"
    return f"it shows no ledger of a service that was open: {'; '.join(map(str, problems))}"


def _explorer(draft: Draft, claim: ClaimView) -> PodView | None:
    pod = draft.seen.pods.get(names.explorer(draft.seen.name, claim.uid))
    return pod if pod is not None and pod.owner_uid == draft.seen.uid and _explores(pod) else None


def _explores(pod: PodView) -> bool:
    return pod.labels.get(ROLE) == Role.EXPLORER.value


def _said(pod: PodView) -> dict[str, Any]:
    if pod.explorer.terminated is None:
        return {}
    try:
        found = json.loads(pod.explorer.terminated.message)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
