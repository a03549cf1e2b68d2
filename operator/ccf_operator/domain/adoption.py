"""Volumes of an earlier network of this name: shown to a person, and then recovered or left alone, as the person says.

No new service is ever started over them unasked: they may hold all that is left of what clients were told is committed.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from ccf_operator.api.status import Adopted, Configuration, Found, FoundVolume, HighWaterMark, VolumeRecord
from ccf_operator.api.volume_facts import VolumeFacts
from ccf_operator.domain.afresh import start_afresh
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import ReleasePod
from ccf_operator.domain.ends import proof_of_end
from ccf_operator.domain.exploration import (
    GAP,
    being_read,
    facts_on,
    is_read,
    may_still_run,
    progress,
    want_exploration,
    why_given_up,
)
from ccf_operator.domain.interventions import Refused
from ccf_operator.domain.observation import ClaimView, DecisionView
from ccf_operator.domain.reclaiming import readers
from ccf_operator.domain.releasing import holds
from ccf_operator.domain.txid import TxID
from ccf_operator.render import names
from ccf_operator.render.labels import NETWORK_UID, POD_FINALIZER, RECOVERY_FACTS
from ccf_operator.wording import counted


def found_claims(draft: Draft) -> list[ClaimView]:
    """Claims that bear this network's name, that its status does not know and that nobody has disowned.

    Where the status is out of date, all of this very network's, for what it knows of them may not be so.
    """
    known = {volume.name for volume in draft.status.volumes}
    outdated = draft.status.outdated is not None
    return [
        claim
        for name, claim in sorted(draft.seen.claims.items())
        if claim.uid not in draft.status.disowned
        and ((name in known or _is_ours(draft, claim)) if outdated else name not in known)
    ]


def _is_ours(draft: Draft, claim: ClaimView) -> bool:
    facts = facts_on(claim)
    return claim.labels.get(NETWORK_UID) == draft.seen.uid or (
        facts is not None and facts.network_uid == draft.seen.uid
    )


def has_begun(draft: Draft) -> bool:
    """Whether this network has a first node, or is the recovery of an earlier one."""
    return bool(draft.status.volumes) or draft.status.service.public_key is not None


def remnants(draft: Draft) -> list[str]:
    """Pods and configurations of nodes of this very network that its status never gave their names."""
    seen = draft.seen
    own = [pod.name for pod in seen.pods.values() if pod.owner_uid == seen.uid]
    numbers = {name: names.node_counter(name, seen.name, seen.uid) for name in (*own, *seen.config_maps)}
    return sorted(
        n for n, number in numbers.items() if number is not None and number >= draft.status.counters.next_node
    )


def keep_found(draft: Draft) -> None:
    """Show what was found while the network has not begun, or its status is out of date; nothing once it goes on.

    The token is shown only once a decision can be made by it: each volume is read, or given up.
    """
    known = _readings(draft.status.found)
    draft.status.found = None
    waiting = not has_begun(draft) or draft.status.outdated is not None
    claims = found_claims(draft) if waiting else []
    want_exploration(draft, claims, readers(draft))
    if claims or (waiting and remnants(draft)):
        volumes = [_describe(draft, claim, known.get(claim.uid)) for claim in claims]
        waits = may_still_run(draft) or any(volume.being_read for volume in volumes)
        in_question = _in_question(_facts_of(claims))
        draft.status.found = Found(
            token=None if waits else _token(draft, claims),
            volumes=volumes,
            to_choose_from=list(in_question.values()) if len(in_question) > 1 else [],
        )


def _readings(found: Found | None) -> dict[str, FoundVolume]:
    """By the claims' UIDs, the volumes that are to be read, as they were last described."""
    volumes = found.volumes if found is not None else []
    return {volume.uid: volume for volume in volumes if volume.reading_since is not None}


def adopt(draft: Draft, decision: DecisionView) -> str:
    """Take the found volumes for this network's own: the service they show is lost, and is to be recovered."""
    _check(draft, decision)
    facts = _facts_of(found_claims(draft))
    key = _service_meant(facts, decision)
    of_service = {name: known for name, known in facts.items() if known.service_key == key}
    claims, later = found_claims(draft), _later_than(draft, key, max(it.recovery_count for it in of_service.values()))
    given = {volume.name: volume.next_generation for volume in draft.status.volumes}
    if draft.status.outdated is not None:
        start_afresh(draft, f"{decision.name} has what the volumes hold recovered, for the status was out of date")
    newest = max(of_service.values(), key=lambda known: known.configuration.seqno if known.configuration else -1)
    status, service = draft.status, draft.status.service
    service.public_key, service.certificate = key, newest.service_certificate
    service.recovery_count, service.opened_at = newest.recovery_count, draft.now
    status.recoveries = newest.recovery_count
    status.configuration = newest.configuration or Configuration(seqno=0, nodes=[], service=key, seen_at=draft.now)
    keep_known_mark(draft, key, of_service.values())
    status.volumes += [_record(claim, facts.get(claim.name), given.get(claim.name, 0)) for claim in claims]
    members_of = _members_of(of_service)
    status.adopted = Adopted(
        decision=decision.name,
        at=draft.now,
        network_uids=sorted({known.network_uid for known in facts.values() if known.network_uid is not None}),
        members_of=members_of,
        may_be_missing=later,
        disks_kept=sorted(node for node, name in members_of.items() if of_service[name].disk_kept),
    )
    resume_counters(draft)
    if draft.seen.uid in status.adopted.network_uids:  # only the status was lost: tokens of its attempts are about
        status.counters.next_attempt = max(status.counters.next_attempt, newest.recovery_count + GAP)
    return f"the service with public key {key[:16]}… is recovered from {', '.join(sorted(of_service))}"


def keep_known_mark(draft: Draft, service: str, facts: Iterable[VolumeFacts]) -> None:
    """The high-water mark of the service with this key, where claims tell of one."""
    marks = [TxID.parse(f.high_water_mark) for f in facts if f.high_water_mark and f.service_key == service]
    if marks:
        draft.status.high_water_mark = HighWaterMark(tx_id=str(max(marks)), service=service, seen_at=draft.now)


def disown(draft: Draft, decision: DecisionView) -> str:
    """Leave the found volumes alone for ever: they are none of this network's, and a new service is started."""
    _check(draft, decision)
    known = {volume.name for volume in draft.status.volumes}
    claims = [claim for claim in found_claims(draft) if claim.name not in known]
    resume_counters(draft)
    draft.status.disowned += [claim.uid for claim in claims]
    left = f"{', '.join(claim.name for claim in claims) or 'no volumes'} are left alone"
    return f"{left}; a new service is started" if draft.status.outdated is None else left


def release_predecessors(draft: Draft) -> None:
    """Let pods of an adopted network go that have provably ended: nobody else takes the finalizer off them."""
    adopted = draft.status.adopted
    for pod in draft.seen.pods.values() if adopted is not None else ():
        theirs = adopted is not None and pod.owner_uid in adopted.network_uids and pod.owner_uid != draft.seen.uid
        ended = proof_of_end(None, pod, draft.seen.machines, draft.now) is not None
        if theirs and ended and POD_FINALIZER in pod.finalizers and holds(draft.seen, pod) is None:
            draft.do(ReleasePod(pod=pod.name, uid=pod.uid))


def _later_than(draft: Draft, key: str, recoveries: int) -> list[str]:
    """Services that were open later than the one that is adopted, as far as something else than a volume tells of."""
    seen = draft.seen.identity
    if seen is None or draft.status.outdated is None or seen.fingerprint in (None, key):
        return []
    if seen.recovery_count < recoveries:
        return []
    return [
        f"service {(seen.fingerprint or '')[:8]}, recovered {counted(seen.recovery_count, 'time')}, was open, as "
        f"ConfigMap {names.identity_config_map(draft.seen.name)} says, and its ledger is on none of these volumes"
    ]


def _facts_of(claims: Iterable[ClaimView]) -> dict[str, VolumeFacts]:
    """What is known of volumes, by their claims' names."""
    return {claim.name: known for claim in claims if (known := facts_on(claim)) is not None}


def _members_of(facts: dict[str, VolumeFacts]) -> dict[str, str]:
    """Volume of each node; of one that several claims name none: one of them may be an older copy of the other."""
    named = Counter(known.node_id for known in facts.values())
    return {k.node_id: name for name, k in facts.items() if k.node_id is not None and named[k.node_id] == 1}


def _in_question(facts: dict[str, VolumeFacts]) -> dict[str, str]:
    """The services that may be meant, by their keys, with a volume of each.

    One is out of the question only if it has been recovered: another of the same network counts more recoveries.
    """
    networks = defaultdict[str, set[str | None]](set)
    counts, volumes = dict[str, int](), dict[str, str]()
    for name, known in sorted(facts.items()):
        key = known.service_key or ""
        networks[key].add(known.network_uid)
        counts[key] = max(counts.get(key, 0), known.recovery_count)
        volumes.setdefault(key, name)

    def follows(later: str, key: str) -> bool:
        return counts[later] > counts[key] and None not in networks[key] and networks[key] <= networks[later]

    return {key: volume for key, volume in volumes.items() if not any(follows(later, key) for later in volumes)}


def _check(draft: Draft, decision: DecisionView) -> None:
    found = draft.status.found
    if found is None:
        raise Refused("no volumes of an earlier network were found, or it has been decided about them")
    if running := may_still_run(draft):
        raise Refused(f"pods of that network may still run: {', '.join(running)}; end them first, or their machines")
    claims, known = found_claims(draft), _readings(found)
    if unread := [claim.name for claim in claims if _is_being_read(draft, claim, known.get(claim.uid))]:
        raise Refused(f"{', '.join(unread)}: being read; wait, and decide by status.found.token once it is there")
    current = _token(draft, claims)
    if decision.spec.token != current:
        raise Refused(f"this token does not stand for what is found now; that is {current}")


def _service_meant(facts: dict[str, VolumeFacts], decision: DecisionView) -> str:
    """The key of the service to recover: what the named volume shows, else the only one that can be meant."""
    if not facts:
        raise Refused("none of the volumes is known to hold the ledger of a service that was open")
    if decision.spec.volume is not None:
        named = facts.get(decision.spec.volume)
        if named is None or named.service_key is None:
            raise Refused(f"{decision.spec.volume} is not known to hold the ledger of a service that was open")
        return named.service_key
    in_question = _in_question(facts)
    if len(in_question) > 1:
        raise Refused(
            "the volumes are of several services; name one that holds the right one, such as volume: "
            + " or ".join(in_question.values())
        )
    (key,) = in_question
    return key


def _token(draft: Draft, claims: list[ClaimView]) -> str:
    what = [[claim.name, claim.uid, claim.annotations.get(RECOVERY_FACTS)] for claim in claims]
    return "found-" + hashlib.sha256(json.dumps([draft.seen.uid, what]).encode()).hexdigest()[:8]


def _describe(draft: Draft, claim: ClaimView, known: FoundVolume | None) -> FoundVolume:
    since, read = (known.reading_since if known is not None else None), progress(draft, claim, known)
    facts = facts_on(claim)
    shows = [*_in_words(facts)] if facts is not None else []
    given_up = None
    if is_read(claim):
        since = None
    elif may_still_run(draft):
        since = None
        shows.append("not read while pods may still write to it")
    else:
        since = since or draft.now
        given_up = why_given_up(draft, claim, since, read)
        shows.append(given_up or being_read(read))
    return FoundVolume(
        name=claim.name,
        uid=claim.uid,
        service=facts.service_key if facts is not None else None,
        recovery_count=facts.recovery_count if facts is not None else None,
        shows="; ".join(shows),
        reading_since=since,
        read=read if since is not None else None,
        being_read=since is not None and given_up is None,
    )


def _is_being_read(draft: Draft, claim: ClaimView, known: FoundVolume | None) -> bool:
    since = known.reading_since if known is not None else None
    return not is_read(claim) and why_given_up(draft, claim, since, progress(draft, claim, known)) is None


def _in_words(facts: VolumeFacts) -> Iterator[str]:
    lineage = "generation" if len(facts.lineage) == 1 else "generations"
    yield f"a ledger in {lineage} {', '.join(map(str, facts.lineage))}"
    yield f"of service {(facts.service_key or '')[:8]}…, recovered {counted(facts.recovery_count, 'time')}"
    if facts.configuration is not None:
        yield f"one of {counted(len(facts.configuration.nodes), 'node')}"
    if facts.high_water_mark is not None:
        yield f"{facts.high_water_mark} was seen committed"


def _record(claim: ClaimView, facts: VolumeFacts | None, given: int) -> VolumeRecord:
    """The record of a volume that is adopted; `given`: below that its generations are known to have been given away."""
    if facts is None:
        unknown = "it is not known what it holds"
        return VolumeRecord(name=claim.name, uid=claim.uid, next_generation=given, set_aside=unknown)
    beyond = facts.lineage[-1] + 1
    unused = max(beyond, given, (facts.next_generation or beyond) + (0 if facts.final else GAP))
    return VolumeRecord(
        name=claim.name,
        uid=claim.uid,
        lineage=list(facts.lineage),
        service=facts.service_key,
        next_generation=unused,
        doubtful=list(range(beyond, unused)),  # an attempt may have been under way, and its service opened
    )


def resume_counters(draft: Draft) -> None:
    """Go on above every number that a name or a claim's annotation shows to have been given away; never below."""
    seen, counters = draft.seen, draft.status.counters
    volumes = [names.volume_counter(name, seen.name, seen.uid) for name in seen.claims]
    nodes = [names.node_counter(name, seen.name, seen.uid) for name in (*seen.pods, *seen.config_maps)]
    greatest = max((number for number in (*volumes, *nodes) if number is not None), default=-1)
    if greatest >= min(counters.next_node, counters.next_volume):
        counters.next_node = max(counters.next_node, greatest + GAP)
        counters.next_volume = max(counters.next_volume, greatest + GAP)
    for facts in _facts_of(seen.claims.values()).values():
        if facts.network_uid == seen.uid:
            counters.next_node = max(counters.next_node, facts.next_node or 0)
            counters.next_volume = max(counters.next_volume, facts.next_volume or 0)
