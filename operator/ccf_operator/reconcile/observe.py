"""One look at one network: fresh lists from the API server, and what the nodes themselves say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.api.status import AttemptPhase, NetworkStatus, NodeRecord, VolumeRecord
from ccf_operator.ccf import client, governance_reading
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.ccf.governance_answers import GovernanceAnswers
from ccf_operator.domain.effects import Report
from ccf_operator.domain.identity import IdentityView
from ccf_operator.domain.members import whom_to_ask
from ccf_operator.domain.namespace_end import may_be_going
from ccf_operator.domain.observation import (
    ClaimView,
    DecisionView,
    Inputs,
    MachineView,
    Observation,
    OperatorMemberView,
    OperatorView,
    PersistentVolumeView,
    PodView,
    Refusal,
    ShareReport,
)
from ccf_operator.domain.resumption import records_of
from ccf_operator.domain.suspects import seen_of_pod
from ccf_operator.domain.unregistered import names_to_resolve
from ccf_operator.kube.errors import Forbidden, KubeError
from ccf_operator.kube.gateway import Gateway, Raw
from ccf_operator.kube.ownership import controller_of, owner_uid
from ccf_operator.kube.share_reports import share_report
from ccf_operator.kube.views import (
    claim_view,
    decision_view,
    identity_view,
    machine_view,
    persistent_volume_view,
    pod_view,
)
from ccf_operator.reconcile.asking import Addressee, Ask, Asking
from ccf_operator.reconcile.asking_members import AskGovernance, AskingMembers
from ccf_operator.reconcile.asking_stages import AskingStages
from ccf_operator.reconcile.inputs import needed_config_maps, resolve
from ccf_operator.reconcile.parse import is_deleting, network_ref, spec_of, status_of
from ccf_operator.reconcile.reachability import Reachability
from ccf_operator.reconcile.reading_events import ReadingEvents, stuck
from ccf_operator.reconcile.resolving import Resolving
from ccf_operator.reconcile.signing_member import SigningMember
from ccf_operator.render import labels, names
from ccf_operator.render.names import NetworkRef

PERSISTENT_VOLUME_SECONDS = 60.0
"""How long a PersistentVolume is remembered while nothing is being deleted: nothing but a warning rests on it then."""


LONGEST_GAP = timedelta(seconds=30)
"""Time between two looks beyond which something may have come and gone unseen; without a cause they are 5 s apart."""

Clock = Callable[[], datetime]


def now() -> datetime:
    """The time of a look, where nobody sets another clock."""
    return datetime.now(UTC)


class Observer:
    """Looks at one network; remembers nothing that a decision to destroy rests on."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        member: SigningMember,
        cluster_domain: str = "cluster.local",
        stage_image: str = "",
        ask: Ask = client.ask,
        ask_governance: AskGovernance = governance_reading.ask_governance,
        clock: Clock = now,
        heard: Callable[[], None] = lambda: None,
        reachability: Reachability | None = None,
    ) -> None:
        """`heard` is called when something has been heard that is worth another look; `reachability` is shared by the
        observers of all networks."""
        self._gateway = gateway
        self._member = member
        self._cluster_domain, self._stage_image = cluster_domain, stage_image
        self._asking = Asking(ask, heard)
        self._asking_stages = AskingStages()
        self._asking_members = AskingMembers(ask_governance, heard)
        self._resolving = Resolving(heard)
        self._reading_events = ReadingEvents(gateway.list_events_about, heard)
        self._reachability = reachability or Reachability()
        self._clock = clock
        self._volumes: dict[str, tuple[float, PersistentVolumeView | None]] = {}
        self._watched_since = self._last_look = clock()

    async def look(
        self,
        raw: Raw,
        name_taken: tuple[str, ...] = (),
        published: frozenset[Report] = frozenset(),
        refusals: tuple[Refusal, ...] = (),
    ) -> Observation:
        """The observation that belongs to a network object just read; the rest is what the actor knows.

        Everything else is read after it, so pods are never older than the status. They are read again once the nodes
        have answered, so that what happened meanwhile is part of this look, and their machines after them. Raises
        KubeError, and Unreadable for a spec or status that cannot be understood.
        """
        network = network_ref(raw)
        spec, status = spec_of(raw), status_of(raw)
        pods, raw_claims, (config_maps, identity), decisions, inputs, operator_member = await asyncio.gather(
            self._pods(network),
            self._gateway.list_claims(network.namespace, network.name),
            self._config_maps(network),
            self._decisions(network),
            self._inputs(network, spec, status, deleting=is_deleting(raw)),
            self._operator_member(network, spec, deleting=is_deleting(raw)),
        )
        volumes, answers = await asyncio.gather(
            self._persistent_volumes(raw_claims, status),
            self._answers(network, pods, NetworkStatus() if is_deleting(raw) else status),
        )
        seen = Observation(
            now=self._clock(),
            namespace=network.namespace,
            name=network.name,
            uid=network.uid,
            generation=int(raw["metadata"].get("generation", 0)),
            deleting=is_deleting(raw),
            spec=spec,
            status=status,
            inputs=inputs,
            pods=pods,
            claims=_claims(raw_claims, volumes),
            config_maps=frozenset(raw["metadata"]["name"] for raw in config_maps),
            ownerless_config_maps={
                raw["metadata"]["name"]: raw["metadata"]["uid"] for raw in config_maps if controller_of(raw) is None
            },
            identity=identity,
            machines=None,
            answers=answers,
            read=self._asking_stages.said(_staging(network, pods)),
            persistent_volumes=volumes,
            cluster_domain=self._cluster_domain,
            stage_image=self._stage_image,
            name_taken=name_taken,
            decisions=decisions,
            published=published,
            refusals=refusals,
            operator_member=operator_member,
            operator=self._how_far_it_reaches(network, pods, answers),
            names=self._resolving.what_is_known(names_to_resolve(status.nodes)),
        )
        (pods, machines, namespace_terminating), governance, share_reports = await asyncio.gather(
            self._pods_and_around_them(network, seen), self._governance(seen), self._share_reports(seen)
        )
        now = self._clock()
        if now - self._last_look > LONGEST_GAP:
            self._watched_since = now
        self._last_look = now
        return replace(
            seen,
            now=now,
            watched_since=self._watched_since,
            pods=pods,
            machines=machines,
            namespace_terminating=namespace_terminating,
            events=self._reading_events.said(network.namespace, _stuck(seen, pods)),
            governance=governance,
            share_reports=share_reports,
        )

    def _how_far_it_reaches(
        self, network: NetworkRef, pods: Mapping[str, PodView], answers: Mapping[str, NodeAnswers]
    ) -> OperatorView:
        """What is not ready is left out: where it does not listen, or its machine is down, nobody reaches it."""
        reached = sum(one.reached or one.impostor for one in answers.values())
        return self._reachability.note(network.uid, pods=sum(pods[name].ready for name in answers), reached=reached)

    async def _pods_and_around_them(
        self, network: NetworkRef, seen: Observation
    ) -> tuple[dict[str, PodView], dict[str, MachineView] | None, bool]:
        """The pods, their machines, and whether their namespace is being deleted."""
        pods = await self._pods(network)
        machines, going = await asyncio.gather(
            self._machines(pods, seen.status), self._is_namespace_terminating(seen, pods)
        )
        return pods, machines, going

    async def _governance(self, seen: Observation) -> GovernanceAnswers | None:
        node = whom_to_ask(seen)
        pod = seen.pods.get(node.name) if node is not None else None
        if node is None or pod is None or pod.ip is None:
            return await self._asking_members.answers(None)
        return await self._asking_members.answers(Addressee(pod.ip, node.node_id))

    async def _share_reports(self, seen: Observation) -> tuple[ShareReport, ...]:
        attempt = seen.status.attempt
        if seen.deleting or attempt is None or attempt.phase is not AttemptPhase.AWAITING_MEMBERS:
            return ()
        if attempt.timeline.accepted_at is None:
            return ()
        try:
            events = await self._gateway.list_events(seen.namespace, seen.name)
        except KubeError:
            return ()  # people are shown less; nothing else rests on it
        reports = (share_report(event, seen.uid) for event in events)
        return tuple(report for report in reports if report is not None)

    async def _pods(self, network: NetworkRef) -> dict[str, PodView]:
        views = [pod_view(raw) for raw in await self._gateway.list_pods(network.namespace, network.name)]
        return {view.name: view for view in views}

    async def _config_maps(self, network: NetworkRef) -> tuple[list[Raw], IdentityView | None]:
        """Those of the nodes, and what the one says that clients mount."""
        listed = await self._gateway.list_config_maps(network.namespace, network.name)
        own = [raw for raw in listed if owner_uid(raw) == network.uid]
        told = (raw for raw in own if raw["metadata"]["name"] == names.identity_config_map(network.name))
        identity = next((identity_view(raw) for raw in told), None)
        return [raw for raw in own if labels.NODE in (raw["metadata"].get("labels") or {})], identity

    async def _decisions(self, network: NetworkRef) -> tuple[DecisionView, ...]:
        views = map(decision_view, await self._gateway.list_decisions(network.namespace))
        ours = [view for view in views if view is not None and view.spec.network == network.name]
        return tuple(sorted(ours, key=lambda view: (view.created_at, view.name)))

    async def _operator_member(
        self, network: NetworkRef, spec: CCFNetworkSpec, *, deleting: bool
    ) -> OperatorMemberView | None:
        named = spec.governance.operator_member
        if deleting or named is None:
            return None
        return await self._member.see(network.namespace, named.secret_ref.name)

    async def _inputs(
        self, network: NetworkRef, spec: CCFNetworkSpec, status: NetworkStatus, *, deleting: bool
    ) -> Inputs:
        attempt = status.attempt
        names_wanted = attempt is not None and attempt.phase is AttemptPhase.AWAITING_MEMBERS
        if deleting or (status.service.opened_at is not None and not names_wanted):
            return Inputs()  # the service has been made of them; what they say now is of no effect
        needed = sorted(needed_config_maps(spec))
        found = await asyncio.gather(*(self._gateway.get_config_map(network.namespace, name) for name in needed))
        return resolve(
            spec,
            {
                name: (raw.get("data") or {}) if raw is not None else None
                for name, raw in zip(needed, found, strict=True)
            },
        )

    async def _persistent_volumes(
        self, claims: list[Raw], status: NetworkStatus
    ) -> dict[str, PersistentVolumeView | None]:
        """Those that claims are bound to, and those of claims that are gone. Fresh where anything goes or is gone."""
        bound = {name: metadata for raw in claims if (name := _bound(raw)) for metadata in (raw["metadata"],)}
        there = {str(raw["metadata"]["name"]) for raw in claims}
        kept = {v.persistent_volume for v in status.volumes if v.persistent_volume and v.name not in there}
        replaced = {v.persistent_volume for v in status.volumes if v.persistent_volume and _is_replaced(v, claims)}
        fresh = {name for name, metadata in bound.items() if metadata.get("deletionTimestamp")} | kept | replaced
        wanted = {*bound, *fresh}
        await asyncio.gather(*(self._learn_volume(name, fresh=name in fresh) for name in sorted(wanted)))
        self._volumes = {name: known for name, known in self._volumes.items() if name in wanted}
        return {name: volume for name, (_, volume) in self._volumes.items()}

    async def _learn_volume(self, name: str, *, fresh: bool) -> None:
        known = self._volumes.get(name)
        if known is not None and not fresh and time.monotonic() - known[0] < PERSISTENT_VOLUME_SECONDS:
            return
        try:
            raw = await self._gateway.get_pv(name)
        except Forbidden:
            self._volumes.pop(name, None)
            return
        self._volumes[name] = (time.monotonic(), persistent_volume_view(raw) if raw is not None else None)

    async def _is_namespace_terminating(self, seen: Observation, pods: Mapping[str, PodView]) -> bool:
        """Asked only where something goes or is gone: on a healthy network it costs nothing."""
        if not may_be_going(seen, pods):
            return False
        try:
            return await self._gateway.is_namespace_terminating(seen.namespace)
        except Forbidden:
            return False

    async def _machines(self, pods: Mapping[str, PodView], status: NetworkStatus) -> dict[str, MachineView] | None:
        wanted = {pod.machine for pod in pods.values() if pod.machine is not None}
        wanted |= {record.machine.name for record in status.nodes if record.machine is not None and not record.ended}
        wanted |= {volume.machine for volume in status.volumes if volume.machine is not None}
        try:
            found = await self._gateway.get_machines(wanted)
        except Forbidden:
            return None
        return {name: machine_view(raw) for name, raw in found.items()}

    async def _answers(
        self, network: NetworkRef, pods: Mapping[str, PodView], status: NetworkStatus
    ) -> dict[str, NodeAnswers]:
        asked: dict[str, Addressee] = {}
        known = {record.name for record in status.nodes}
        others = [record for record in records_of(pods.values(), network.uid) if record.name not in known]
        for record in (*status.nodes, *others):
            pod = pods.get(record.name)
            if pod is None or pod.owner_uid != network.uid:
                continue
            if record.pod_uid is not None and record.pod_uid != pod.uid:
                continue
            host = pod.ip if pod.ccf.running else _where_it_ran(record, pod)
            if host is not None:
                asked[record.name] = Addressee(host, record.node_id, pod.deleting)
        return await self._asking.answers(asked)


def _stuck(seen: Observation, pods: Mapping[str, PodView]) -> frozenset[str]:
    """Nothing where the network is being deleted, for then nothing is awaited of what it lacks."""
    if seen.deleting:
        return frozenset()
    return stuck(pods.values(), seen.claims.values(), seen.uid, {volume.name for volume in seen.status.volumes})


def _staging(network: NetworkRef, pods: Mapping[str, PodView]) -> dict[str, str]:
    """Where each pod of a network is whose `stage` reads, or that reads a volume, by name."""
    return {
        name: pod.ip
        for name, pod in pods.items()
        if pod.owner_uid == network.uid and pod.ip is not None and (pod.stage.running or pod.explorer.running)
    }


def _where_it_ran(record: NodeRecord, pod: PodView) -> str | None:
    """Where a node may still be that its kubelet does not report; none that has not proven its id is asked there."""
    if record.node_id is None or seen_of_pod(record, pod) is None:
        return None
    return pod.ip or record.pod_ip


def _claims(listed: list[Raw], volumes: Mapping[str, PersistentVolumeView | None]) -> dict[str, ClaimView]:
    return {str(raw["metadata"]["name"]): claim_view(raw, volumes.get(_bound(raw) or "")) for raw in listed}


def _bound(claim: Raw) -> str | None:
    return (claim.get("spec") or {}).get("volumeName") or None


def _is_replaced(volume: VolumeRecord, claims: list[Raw]) -> bool:
    """Whether another claim bears the name of one on record."""
    found = next((raw for raw in claims if raw["metadata"]["name"] == volume.name), None)
    return found is not None and volume.uid is not None and found["metadata"]["uid"] != volume.uid
