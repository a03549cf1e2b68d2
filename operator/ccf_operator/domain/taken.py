"""What is being taken away underneath a network: claims, volumes, machines, its namespace; and what stops it.

Only what a recovery would need counts: the volumes of the committed configuration, of nodes that live, and of the
candidates of an attempt; and what keeps a pod from being let go, whatever it holds. Kubernetes takes back no deletion
that was asked for: a claim that is being deleted goes with the last pod that uses it, and only the reclaim policy of
its volume decides whether its ledger goes along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from ccf_operator.api.status import CandidateResult, VolumeRecord
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.observation import ClaimView, PersistentVolumeView
from ccf_operator.domain.releasing import RETAIN, held_back, hinders, outlives_its_claim
from ccf_operator.render import names


class Taking(StrEnum):
    """The reasons of condition Recoverable that tell of something that goes or is gone."""

    NAMESPACE_TERMINATING = "NamespaceTerminating"
    CLAIMS_TERMINATING = "ClaimsTerminating"
    VOLUMES_TERMINATING = "VolumesTerminating"
    CLAIMS_REPLACED = "ClaimsReplaced"
    VOLUMES_MISSING = "VolumesMissing"
    MACHINES_TERMINATING = "MachinesTerminating"


_Kind = Callable[[Draft, list[VolumeRecord]], "Taken | None"]


@dataclass(frozen=True)
class Taken:
    """What is going or gone, in a sentence, and the command that helps (empty: none does).

    The message changes only when something else goes: events are told by it.
    """

    reason: Taking
    message: str
    door: str = ""


def what_is_taken(draft: Draft) -> Taken | None:
    """All that is being taken away, by the reason of the gravest; None: nothing is."""
    return _gravest(draft, (*_OF_VOLUMES, _machines_terminating, _claims_made_anew_wait))


def _gravest(draft: Draft, kinds: Iterable[_Kind]) -> Taken | None:
    volumes = _that_matter(draft)
    if (going := _namespace(draft, volumes)) is not None:
        return going
    found = [taken for kind in kinds if (taken := kind(draft, volumes)) is not None]
    if not found:
        return None
    doors = dict.fromkeys(taken.door for taken in found if taken.door)
    return Taken(found[0].reason, "; ".join(taken.message for taken in found), " . Then ".join(doors))


def tell_of_taking(draft: Draft, taken: Taken | None) -> None:
    """Publish what is being taken away, once, and again when it is something else."""
    before = next((one for one in draft.status.conditions if one.type == "Recoverable"), None)
    known = (before.reason, before.message) if before is not None else None
    if taken is not None and known != (taken.reason.value, taken.message):
        draft.report(taken.reason.value, f"{taken.message}. {taken.door}".rstrip(". "), warning=True)


def must_be_kept_first(draft: Draft, volumes: Iterable[str]) -> Taken | None:
    """What keeps a recovery from these volumes from starting any candidate, where that goes or may come again."""
    taken = _gravest(draft, (*_OF_VOLUMES, _claims_made_anew_wait))
    if taken is None or any(can_be_read(draft, volume) for volume in volumes):
        return None
    return taken if taken.door or taken.reason is not Taking.VOLUMES_MISSING else None


def in_the_way(draft: Draft) -> list[str]:
    """Names of the pods that run on claims which cannot be made anew before they have gone; none while others come."""
    used = {record.volume for record in draft.alive()}
    if any(_comes_again(draft, volume) for volume in draft.status.volumes if volume.name not in used):
        return []
    return sorted(
        pod.name for record in draft.alive() if (pod := draft.pod(record)) is not None and hinders(draft.seen, pod)
    )


def _comes_again(draft: Draft, volume: VolumeRecord) -> bool:
    """Whether a ledger may soon be used again without anybody's end: its claim goes, or is made, bound or read."""
    claim = draft.seen.claims.get(volume.name)
    if not volume.lineage or volume_on_record(draft, volume) is None:
        return False
    if claim is None or claim.uid == volume.uid:
        return True
    reader = draft.seen.pods.get(names.explorer(draft.seen.name, claim.uid))
    is_read = reader is not None and reader.explorer.terminated is not None
    return claim.volume_name == volume.persistent_volume and not is_read


def can_be_read(draft: Draft, volume: str) -> bool:
    """Whether a new pod could use the claim of a volume: it is the one on record, and stays."""
    claim = draft.claim(volume)
    return claim is not None and not claim.deleting and not draft.seen.namespace_terminating


def _that_matter(draft: Draft) -> list[VolumeRecord]:
    """Volumes that a recovery needs, or may need; those whose claims were never seen are only being made."""
    status, attempt = draft.status, draft.status.attempt
    members = set(status.configuration.nodes) if status.configuration is not None else set()
    needed = {r.volume for r in status.nodes if r.node_id in members or (r.ended is None and r.stop is None)}
    for candidate in attempt.candidates if attempt is not None else ():
        if candidate.result is not CandidateResult.EXCLUDED:
            needed.add(candidate.volume)
    if status.outdated is not None:  # what it says of nodes may not be so
        needed |= {volume.name for volume in status.volumes if volume.lineage}
    return [volume for volume in status.volumes if volume.name in needed and volume.uid is not None]


def _namespace(draft: Draft, volumes: list[VolumeRecord]) -> Taken | None:
    if not draft.seen.namespace_terminating:
        return None
    dying = _dying(draft, [claim for v in volumes if (claim := draft.claim(v.name)) is not None])
    goes = f", and with them the ledgers on {', '.join(dying)}" if dying else "; the ledgers stay on their volumes"
    return Taken(
        Taking.NAMESPACE_TERMINATING,
        f"the namespace {draft.seen.namespace} is being deleted: nothing is started in it. Its claims go{goes}",
        _retain(dying, "to keep these ledgers"),
    )


def _claims_terminating(draft: Draft, volumes: list[VolumeRecord]) -> Taken | None:
    going = {v.name: claim for v in volumes if (claim := draft.claim(v.name)) is not None and claim.deleting}
    going |= {claim.name: claim for claim in held_back(draft.seen).values()}
    claims = [going[name] for name in sorted(going)]
    if not claims:
        return None
    dying = _dying(draft, claims)
    fate = (
        f"the ledgers on {', '.join(dying)} would go along" if dying else "their volumes stay (reclaim policy Retain)"
    )
    held = "; the pods that hold them are not let go before that is stopped" if dying else ""
    return Taken(
        Taking.CLAIMS_TERMINATING,
        f"being deleted: {_named(claims)}. A claim goes when the last pod that uses it goes; {fate}{held}",
        _retain(dying, "to keep these ledgers; the operator then makes the claims anew"),
    )


def _volumes_terminating(draft: Draft, volumes: list[VolumeRecord]) -> Taken | None:
    going = sorted(name for v in volumes if (name := _bound_to(draft, v)) and _is_deleting(draft, name))
    if not going:
        return None
    return Taken(
        Taking.VOLUMES_TERMINATING,
        f"being deleted: PersistentVolume {', '.join(going)}. Each goes when the claim bound to it goes",
        f"keep the claims; replace the nodes on {', '.join(v.name for v in volumes if v.persistent_volume in going)}, "
        "one after the other, as the members replace any node, and only then let the claims go",
    )


def _claims_replaced(draft: Draft, volumes: list[VolumeRecord]) -> Taken | None:
    """Claims of the right name that are not the ones on record, and not yet known to be as good."""
    found = [v for v in volumes if (claim := draft.seen.claims.get(v.name)) is not None and claim.uid != v.uid]
    if not found:
        return None
    said = (f"{v.name}: {v.note or 'another claim of its name is there'}" for v in found)
    doors = [door for v in found if (door := _rebind(draft, v))]
    return Taken(Taking.CLAIMS_REPLACED, "; ".join(said), "; ".join(doors))


def _claims_made_anew_wait(draft: Draft, _: list[VolumeRecord]) -> Taken | None:
    """Claims that were made anew for volumes of which the status, gone, older or edited, does not know that."""
    waiting = []
    for name, claim in sorted(draft.seen.claims.items()):
        record = draft.status.volume(name)
        unknown = claim.uid not in draft.status.disowned if record is None else record.uid in (None, claim.uid)
        found = draft.seen.persistent_volumes.get(claim.volume_name or "")
        if unknown and claim.phase != "Bound" and not claim.deleting and found is not None:
            named = found.claim == (draft.seen.namespace, name) and found.claim_uid not in (None, claim.uid)
            waiting += [(name, found.name)] if named and not found.deleting else []
    if not waiting:
        return None
    said = (f"{name} waits for {volume}, which is still bound to the claim that is gone" for name, volume in waiting)
    return Taken(Taking.CLAIMS_REPLACED, "; ".join(said), "; ".join(_give_again(*pair) for pair in waiting))


def _missing(draft: Draft, volumes: list[VolumeRecord]) -> Taken | None:
    without = [v for v in volumes if v.name not in draft.seen.claims]
    lost = [v for v in volumes if (claim := draft.claim(v.name)) is not None and claim.phase == "Lost"]
    if not without and not lost:
        return None
    said = [f"no claim for {', '.join(v.name for v in without)}"] if without else []
    said += [f"the volumes of {', '.join(v.name for v in lost)} are gone"] if lost else []
    doors = [door for v in without if (door := _rebind(draft, v))]
    return Taken(Taking.VOLUMES_MISSING, "; ".join(said), "; ".join(doors))


def _machines_terminating(draft: Draft, _: list[VolumeRecord]) -> Taken | None:
    """Nodes whose Node objects are being deleted: whoever holds these ends what runs there, and then the machine."""
    on: dict[str, list[str]] = {}
    for record in draft.alive() if not draft.seen.deleting else ():
        pod = draft.pod(record)
        machine = (draft.seen.machines or {}).get((pod.machine if pod is not None else None) or "")
        if machine is not None and machine.deleting:
            on.setdefault(machine.name, []).append(record.name)
    if not on:
        return None
    said = (f"Node {machine} with {', '.join(on[machine])}" for machine in sorted(on))
    return Taken(
        Taking.MACHINES_TERMINATING,
        f"being deleted: {'; '.join(said)}. A volume that is on the machine itself goes with it",
        "one after the other, as the members replace any node, replace the nodes there before they go; see what "
        f"deletes and what still holds the machines: kubectl get node {' '.join(sorted(on))} -o yaml",
    )


_OF_VOLUMES = (_claims_terminating, _volumes_terminating, _claims_replaced, _missing)


def _rebind(draft: Draft, volume: VolumeRecord) -> str:
    """The command that lets a claim of the same name have its volume again."""
    found = volume_on_record(draft, volume)
    if found is None or found.claim_uid is None or found.deleting:
        return ""
    claim = draft.seen.claims.get(volume.name)
    if claim is not None and (claim.uid == found.claim_uid or claim.volume_name != found.name):
        return ""
    return _give_again(volume.name, found.name)


def _give_again(claim: str, volume: str) -> str:
    return (
        f"to give {claim} its volume again: kubectl patch pv {volume} --type json "
        """-p '[{"op":"remove","path":"/spec/claimRef/uid"}]'"""
    )


def volume_on_record(draft: Draft, volume: VolumeRecord) -> PersistentVolumeView | None:
    """The PersistentVolume that a volume's claim was bound to, if it is there and the very one."""
    found = draft.seen.persistent_volumes.get(volume.persistent_volume or "")
    if found is None or volume.persistent_volume_uid not in (None, found.uid):
        return None
    return found


def _dying(draft: Draft, claims: Iterable[ClaimView]) -> list[str]:
    """Names of the PersistentVolumes that go with these claims, or may."""
    known = draft.seen.persistent_volumes
    bound = (claim.volume_name for claim in claims if claim.volume_name is not None)
    return sorted(name for name in bound if not outlives_its_claim(known.get(name)))


def _retain(volumes: list[str], why: str) -> str:
    if not volumes:
        return ""
    patch = f"""kubectl patch pv {" ".join(volumes)} -p '{{"spec":{{"persistentVolumeReclaimPolicy":"{RETAIN}"}}}}'"""
    return f"{why}: {patch}"


def _bound_to(draft: Draft, volume: VolumeRecord) -> str | None:
    claim = draft.claim(volume.name)
    return claim.volume_name if claim is not None else None


def _is_deleting(draft: Draft, name: str) -> bool:
    found = draft.seen.persistent_volumes.get(name)
    return found is not None and found.deleting


def _named(claims: Iterable[ClaimView]) -> str:
    return ", ".join(sorted(claim.name for claim in claims))
