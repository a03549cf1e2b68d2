"""Whether the status is older than what volumes, claims and running pods show, and by what that is seen.

A restored etcd, an old status put back or one that somebody has edited: whatever is decided from such a status may end
healthy nodes or recover what clients have long gone beyond. The status is always written before anything is done on its
strength, so nothing of ours can be ahead of it unless it is not the newest there was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from ccf_operator.api.status import (
    ClaimedGeneration,
    Command,
    Configuration,
    NodeRecord,
    Outdated,
    OutdatedEvidence,
    VolumeRecord,
)
from ccf_operator.api.volume_facts import VolumeFacts
from ccf_operator.domain.adoption import has_begun, resume_counters
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.ends import proof_of_end
from ccf_operator.domain.exploration import GAP, explores, facts_on
from ccf_operator.domain.nodes import ids_that_matter
from ccf_operator.domain.observation import PodView, Terminated
from ccf_operator.domain.quorum import majority
from ccf_operator.domain.service import ServiceView, view_own_service, view_service
from ccf_operator.domain.txid import TxID
from ccf_operator.render import names
from ccf_operator.render.labels import GENERATION, NETWORK_UID, ROLE, VOLUME, Role
from ccf_operator.wording import counted

STAGE_OUTDATED = 6
"""Exit code of `stage` that was given a plan older than the volume."""

SHOWN = 6
"""Pieces of evidence that are told in a sentence."""

KEPT = 50
"""Pieces of evidence that are kept in the status."""

_OUTSIDE = frozenset({"Initialized", "Pending"})
"""States of a node that is no part of any service."""


@dataclass(frozen=True)
class Evidence:
    """Something that is newer than the status: where it was found, and what."""

    where: str
    what: str


def keep_outdated(draft: Draft) -> None:
    """Note what shows that the status is out of date, and see that no number is given again; or that nothing does."""
    _note_claims_of_others(draft)
    _raise_counters_above_records(draft)
    status = draft.status
    found, view = [], view_own_service(draft)
    if has_begun(draft) or status.nodes:
        found = list(dict.fromkeys(evidence(draft, view)))
    if not found:
        if status.outdated is not None:
            draft.report("StatusCurrent", "nothing is found any more that is newer than the status: it goes on")
        status.outdated = None
        return
    if status.outdated is None:
        status.outdated = Outdated(
            since=draft.now,
            next_node=status.counters.next_node,
            next_volume=status.counters.next_volume,
            next_generations={volume.name: volume.next_generation for volume in status.volumes},
        )
        draft.report("StatusOutdated", f"nothing is decided from it: {evidence_in_words(found)}", warning=True)
    status.outdated.evidence = [OutdatedEvidence(where=one.where, what=one.what) for one in found[:KEPT]]
    raise_above_all_seen(draft)


def evidence_in_words(found: list[Evidence] | list[OutdatedEvidence]) -> str:
    """The evidence in a sentence, the first of it."""
    said = [f"{one.where}: {one.what}" for one in found[:SHOWN]]
    more = len(found) - len(said)
    return "; ".join([*said, *([f"and {more} more"] if more > 0 else [])])


def evidence(draft: Draft, view: ServiceView) -> Iterator[Evidence]:
    """All that is newer than the status; `view` is the service on record as its own nodes show it."""
    yield from _of_transaction_ids(draft)
    yield from _of_pods(draft)
    yield from _of_config_maps(draft)
    yield from _of_volumes(draft)
    yield from _of_services(draft)
    yield from _of_an_attempt(draft)
    if draft.status.adopted is None:  # else a person has decided about just these
        yield from _of_claims(draft, view)
        yield from _of_the_identity(draft, view)
        yield from _of_missing_records(draft, view)
        yield from _of_members(draft, view)


# Pods and what belongs to them


def _of_pods(draft: Draft) -> Iterator[Evidence]:
    next_node = _next_node(draft)
    for name, pod in sorted(draft.seen.pods.items()):
        if pod.owner_uid != draft.seen.uid or explores(pod):
            continue
        if is_on_record(draft, pod):
            yield from _of_a_winner(draft, pod)
            continue
        number = names.node_counter(name, draft.seen.name, draft.seen.uid)
        if number is not None and number >= next_node:
            yield Evidence(f"Pod {name}", f"a node of that number was never planned: the next is {next_node}")
        elif _runs(draft, pod) and not _is_of_no_account(draft, pod):
            yield Evidence(f"Pod {name}", "it runs, and no node of this pod is on record")
        elif (wrote := _wrote_of_the_ledger(draft, pod)) is not None:
            yield Evidence(f"Pod {name}", f"it wrote {wrote}, which is on record, and no node of this pod is")


def is_on_record(draft: Draft, pod: PodView) -> bool:
    """Whether this very pod is that of a node on record."""
    record = draft.status.node(pod.name)
    return record is not None and record.pod_uid in (None, pod.uid)


def _runs(draft: Draft, pod: PodView) -> bool:
    started = pod.ccf.running or pod.ccf.started_at is not None
    return started and proof_of_end(None, pod, draft.seen.machines, draft.now) is None


def _wrote_of_the_ledger(draft: Draft, pod: PodView) -> str | None:
    """What a pod has written of the ledger of the service on record: its node is on record for as long as it is there.

    However it ended: that is proof of a node's end only where a record keeps it. Where a person has adopted the volumes
    of a network whose status was gone, nodes of before are on no record.
    """
    volume = draft.status.volume(pod.labels.get(VOLUME, ""))
    ran = pod.ccf.running or pod.ccf.started_at is not None or pod.ccf.terminated is not None
    if draft.status.adopted is not None or volume is None or not ran:
        return None
    generation = pod.labels.get(GENERATION, "")
    if volume.service != draft.status.service.public_key or generation not in {str(one) for one in volume.lineage}:
        return None
    return f"gen-{generation} of {volume.name}"


def _is_of_no_account(draft: Draft, pod: PodView) -> bool:
    """Whether a node says itself that it is no part of any service that counts.

    A node that is forgotten may be created late, by an operator that was held up; then it is outside of its service for
    good, or has recovered a ledger for an attempt that is over.
    """
    answers = draft.seen.answers.get(pod.name)
    if answers is None or not answers.reached or answers.node_id in ids_that_matter(draft):
        return False
    attempt = draft.status.attempt
    if attempt is not None and pod.name in {candidate.node for candidate in attempt.candidates}:
        return False
    if answers.state is not None and answers.state.state in _OUTSIDE:
        return True
    return answers.network is not None and answers.network.service_status != "Open" and not answers.ready_app


def _of_a_winner(draft: Draft, pod: PodView) -> Iterator[Evidence]:
    """A candidate is marked as the winner once that is written, and then stays so."""
    attempt, record = draft.status.attempt, draft.status.node(pod.name)
    if attempt is None or record is None or pod.labels.get(ROLE) != Role.WINNER.value:
        return
    chosen = attempt.winner.node if attempt.winner is not None else None
    if pod.name in {candidate.node for candidate in attempt.candidates} and pod.name != chosen:
        yield Evidence(f"Pod {pod.name}", f"it was chosen in attempt {attempt.number}, which knows nothing of that")


def _of_config_maps(draft: Draft) -> Iterator[Evidence]:
    next_node = _next_node(draft)
    for name in sorted(draft.seen.config_maps):
        number = names.node_counter(name, draft.seen.name, draft.seen.uid)
        if number is not None and number >= next_node and draft.status.node(name) is None:
            yield Evidence(f"ConfigMap {name}", f"a node of that number was never planned: the next is {next_node}")


# Volumes and their claims


def _of_volumes(draft: Draft) -> Iterator[Evidence]:
    for volume in draft.status.volumes:
        for claimed in volume.claimed:
            who = claimed.node or "whoever left no manifest"
            yield Evidence(f"volume of {volume.name}", f"gen-{claimed.generation} is claimed by {who}, of no record")
    known = {volume.name for volume in draft.status.volumes}
    for name, claim in sorted(draft.seen.claims.items()):
        ours = claim.labels.get(NETWORK_UID) == draft.seen.uid
        if ours and name not in known and claim.uid not in draft.status.disowned:
            yield Evidence(f"PersistentVolumeClaim {name}", "it was made for this network, and is not on record")


def _of_claims(draft: Draft, view: ServiceView) -> Iterator[Evidence]:
    for record in draft.status.volumes:
        claim = draft.claim(record.name)
        facts = facts_on(claim) if claim is not None else None
        if facts is not None and facts.network_uid == draft.seen.uid:
            for what in _ahead(draft, record, facts, view):
                yield Evidence(f"PersistentVolumeClaim {record.name}", what)


def _ahead(draft: Draft, record: VolumeRecord, facts: VolumeFacts, view: ServiceView) -> Iterator[str]:
    """What a claim says of its volume that the status does not know.

    Another service of the same time is not believed over the one that serves at this very look.
    """
    status, key = draft.status, facts.service_key or ""
    service, count = status.service, facts.recovery_count
    if service.public_key is None:
        yield f"service {key[:8]} was open, and no service is on record"
    elif not (record.service == key and record.lineage == facts.lineage):
        another = count == service.recovery_count and key != service.public_key and not view.is_open()
        if count > service.recovery_count or another:
            yield (
                f"service {key[:8]}, recovered {counted(count, 'time')}, was open; on record is "
                f"{service.public_key[:8]}, recovered {counted(service.recovery_count, 'time')}"
            )
        elif key == service.public_key and facts.lineage[-1] > max(record.lineage, default=-1):
            yield f"the ledger goes on in gen-{facts.lineage[-1]}; on record it does not"
    edited = view.primary is None and key == service.public_key
    if edited and count != service.recovery_count:
        yield (
            f"service {key[:8]} was recovered {counted(count, 'time')}; on record it was "
            f"{counted(service.recovery_count, 'time')}"
        )
    if edited and service.opened_at is None:
        yield f"service {key[:8]} was open; on record it was not"
    unused = _next_generation(draft, record)
    if not facts.final and (facts.next_generation or 0) > unused:
        yield f"generations below {facts.next_generation} were given away; on record those below {unused} are"
    if (facts.next_node or 0) > _next_node(draft):
        yield f"nodes below number {facts.next_node} were planned; on record those below {_next_node(draft)} are"
    if (facts.next_volume or 0) > _next_volume(draft):
        yield f"volumes below number {facts.next_volume} were planned; on record those below {_next_volume(draft)} are"
    if view.primary is None and _is_later(facts.configuration, status.configuration, service.public_key):
        yield "a configuration is told of that was committed later than the one on record"
    if view.primary is None and _contradicts(facts.configuration, status.configuration):
        yield "another configuration is told of than the one on record, which was committed at the same seqno"


def _is_later(told: Configuration | None, known: Configuration | None, service: str | None) -> bool:
    """Whether a configuration was committed later in the service with this key than the one on record."""
    if told is None or told.service != service:
        return False
    return known is None or (known.service == service and told.seqno > known.seqno)


def _contradicts(told: Configuration | None, known: Configuration | None) -> bool:
    """Whether two configurations are told of that cannot both have been committed: there is one at each seqno."""
    if told is None or known is None or (told.service, told.seqno) != (known.service, known.seqno):
        return False
    return {*told.nodes} != {*known.nodes}


def _of_the_identity(draft: Draft, view: ServiceView) -> Iterator[Evidence]:
    """What clients were told of the service.

    It is not believed over a service that serves them at this very look, and says nothing of one that was not open yet:
    a person may have disowned the one before.
    """
    seen, service = draft.seen.identity, draft.status.service
    if seen is None or service.opened_at is None or view.is_open():
        return
    key, same_count = seen.fingerprint, seen.recovery_count == service.recovery_count
    if seen.recovery_count > service.recovery_count or (same_count and key not in (None, service.public_key)):
        yield Evidence(
            f"ConfigMap {names.identity_config_map(draft.seen.name)}",
            f"clients were told of service {(key or '')[:8]}, recovered {counted(seen.recovery_count, 'time')}; on "
            f"record is {(service.public_key or 'none')[:8]}, recovered {counted(service.recovery_count, 'time')}",
        )


# The status against itself, and against what nodes say


def _of_missing_records(draft: Draft, view: ServiceView) -> Iterator[Evidence]:
    """A network that was open has nodes, volumes, certificate and configuration on record for as long as it lives.

    Certificate and configuration are written anew from what a primary says, where there is one.
    """
    status = draft.status
    if status.service.opened_at is None:
        return
    if status.configuration is None and view.primary is None:
        yield Evidence("status.configuration", "the service was open, and no configuration of it is on record")
    if status.service.certificate is None and view.primary is None:
        yield Evidence("status.service.certificate", "the service was open, and its certificate is not on record")
    if not status.nodes and status.attempt is None:
        yield Evidence("status.nodes", "the service was open, and no node of it is on record")
    if not status.volumes and status.attempt is None:
        yield Evidence("status.volumes", "the service was open, and no volume of it is on record")


def _of_members(draft: Draft, view: ServiceView) -> Iterator[Evidence]:
    """So few nodes of the configuration are on record that their ends could never prove a loss of quorum.

    A node that has not told its id may be one of the others. While a primary leads, the members can be asked to remove
    those that nobody knows.
    """
    status, known = draft.status, draft.status.configuration
    if known is None or known.service != status.service.public_key or status.attempt is not None or view.primary:
        return
    unknown = sum(draft.by_node_id(node) is None for node in known.nodes)
    nameless = sum(record.node_id is None for record in status.nodes)
    if len(known.nodes) - unknown + nameless <= len(known.nodes) - majority(len(known.nodes)):
        yield Evidence("status.nodes", f"{unknown} of {counted(len(known.nodes), 'member')} are not on record")


def _of_an_attempt(draft: Draft) -> Iterator[Evidence]:
    """What an attempt is made of is on record for as long as it is in progress."""
    attempt = draft.status.attempt
    if attempt is None:
        return
    nodes = {candidate.node for candidate in attempt.candidates} | {attempt.winner.node if attempt.winner else None}
    for node in sorted(name for name in nodes if name is not None and draft.status.node(name) is None):
        yield Evidence("status.nodes", f"{node} is of attempt {attempt.number}, and not on record")
    if draft.status.adopted is None and attempt.unsettled is None:  # else their nodes need not be on record
        for node in sorted(node for node in attempt.members_of if draft.by_node_id(node) is None):
            yield Evidence("status.nodes", f"node {node[:8]} is of attempt {attempt.number}, and not on record")
    for volume in sorted(c.volume for c in attempt.candidates if draft.status.volume(c.volume) is None):
        yield Evidence("status.volumes", f"{volume} is of attempt {attempt.number}, and not on record")


def _of_services(draft: Draft) -> Iterator[Evidence]:
    """Nodes on record that are an open service which is not the one on record."""
    own, known = draft.own_nodes(), draft.status.service.public_key
    if known is None:
        return
    said = (draft.answers(record) for record in own)
    keys = {a.network.service_key for a in said if a is not None and a.network is not None} - {known}
    for key in sorted(keys):
        view = view_service(draft, key, own)
        if view.is_open():
            yield Evidence(
                f"nodes {', '.join(sorted(view.members))}", f"they serve as service {key[:8]}; on record is {known[:8]}"
            )


def _of_transaction_ids(draft: Draft) -> Iterator[Evidence]:
    status, attempt = draft.status, draft.status.attempt
    texts = {"status.highWaterMark.txID": status.high_water_mark.tx_id if status.high_water_mark is not None else None}
    if attempt is not None:
        texts["status.attempt.baseHighWaterMark"] = attempt.base_high_water_mark
        texts["status.attempt.winner.txID"] = attempt.winner.tx_id if attempt.winner is not None else None
        texts |= {f"status.attempt.candidates[{c.volume}].txID": c.tx_id for c in attempt.candidates}
        texts["status.attempt.stuckAt"] = attempt.stuck_at
    for name, lost in (("unsettled", status.unsettled), ("doubted", status.doubted)):
        if lost is not None:
            texts[f"status.{name}.baseHighWaterMark"] = lost.base_high_water_mark
    for where, text in texts.items():
        if text is not None and not is_transaction_id(text):
            yield Evidence(where, f"{text[:40]!r} is no transaction id (view.seqno)")


def is_transaction_id(text: str) -> bool:
    """Whether it is `view.seqno`."""
    try:
        TxID.parse(text)
    except ValueError:
        return False
    return True


# Numbers


def _next_node(draft: Draft) -> int:
    """The next node's number as the status had it when it was found to be out of date."""
    outdated = draft.status.outdated
    return outdated.next_node if outdated is not None else draft.status.counters.next_node


def _next_volume(draft: Draft) -> int:
    outdated = draft.status.outdated
    return outdated.next_volume if outdated is not None else draft.status.counters.next_volume


def _next_generation(draft: Draft, volume: VolumeRecord) -> int:
    outdated = draft.status.outdated
    known = outdated.next_generations.get(volume.name) if outdated is not None else None
    return known if known is not None else volume.next_generation


def _raise_counters_above_records(draft: Draft) -> None:
    """Counters below what the records themselves show were edited; what else was given away is not known."""
    status, counters, seen = draft.status, draft.status.counters, draft.seen
    nodes = [names.node_counter(record.name, seen.name, seen.uid) for record in status.nodes]
    volumes = [names.volume_counter(record.name, seen.name, seen.uid) for record in status.volumes]
    attempts = [*(past.number for past in status.history), *([status.attempt.number] if status.attempt else [])]
    counters.next_node = _above(counters.next_node, [it for it in nodes if it is not None])
    counters.next_volume = _above(counters.next_volume, [it for it in volumes if it is not None])
    counters.next_attempt = _above(counters.next_attempt, attempts)
    for volume in status.volumes:
        written = [record.generation for record in draft.on_volume(volume.name)]
        volume.next_generation = _above(volume.next_generation, [*written, *volume.lineage, *volume.doubtful])


def _above(known: int, used: list[int]) -> int:
    greatest = max(used, default=-1)
    return known if known > greatest else greatest + GAP


def raise_above_all_seen(draft: Draft) -> None:
    """See that no number is given again that anything shows to have been given away."""
    resume_counters(draft)
    for volume in draft.status.volumes:
        used = [claimed.generation for claimed in volume.claimed]
        facts = facts_on(claim) if (claim := draft.claim(volume.name)) is not None else None
        if facts is not None:
            used += [*facts.lineage, (facts.next_generation or 0) - 1]
        volume.next_generation = _above(volume.next_generation, used)


# What `stage` has found


def _note_claims_of_others(draft: Draft) -> None:
    for record in draft.status.nodes:
        pod, volume = draft.pod(record), draft.status.volume(record.volume)
        if pod is None or volume is None:
            continue
        for claimed in read_claims(pod.stage.terminated):
            if _is_unknown(draft, record, volume, claimed) and claimed not in volume.claimed:
                volume.claimed = sorted([*volume.claimed, claimed], key=lambda it: it.generation)


def read_claims(terminated: Terminated | None) -> list[ClaimedGeneration]:
    """The claims of others that `stage` has found to be at or above its plan's; none where it has not ended so."""
    if terminated is None or terminated.exit_code != STAGE_OUTDATED:
        return []
    try:
        found = json.loads(terminated.message).get("claims") or []
        return [_claimed(it) for it in found]
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
        return []


def _claimed(found: dict[str, object]) -> ClaimedGeneration:
    count, node = found.get("recoveryCount"), found.get("node")
    recoveries = None
    if isinstance(count, int):
        recoveries = count + (1 if found.get("command") == Command.RECOVER.value else 0)
    return ClaimedGeneration(
        generation=int(str(found["generation"])), node=str(node) if node is not None else None, recoveries=recoveries
    )


def _is_unknown(draft: Draft, record: NodeRecord, volume: VolumeRecord, claimed: ClaimedGeneration) -> bool:
    """Whether this status knows nothing of a claim: each generation is given to one node, once."""
    if any(
        other.generation == claimed.generation and other.name == claimed.node and other is not record
        for other in draft.on_volume(volume.name)
    ):
        return False
    return claimed.generation == record.generation or claimed.generation >= _next_generation(draft, volume)


def is_newer_than(draft: Draft, recoveries: int, key: str) -> bool:
    """Whether anything found may be of a later service than the one with this key, after so many recoveries."""
    seen = draft.seen.identity
    if seen is not None:
        if seen.recovery_count > recoveries:
            return True
        if seen.recovery_count == recoveries and seen.fingerprint not in (None, key):
            return True
    claimed = [it for volume in draft.status.volumes for it in volume.claimed]
    return any(it.recoveries is None or it.recoveries > recoveries for it in claimed)
