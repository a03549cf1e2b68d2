"""Doing what was decided: each effect, once the status that licenses it is written.

Every effect can be done twice with the same outcome. One that fails does not stop the others; it is asked for again at
the next look.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ccf_operator import logs
from ccf_operator.api.decision import CCFRecoveryDecisionStatus
from ccf_operator.api.status import NetworkStatus, ServiceStatus
from ccf_operator.ccf import client
from ccf_operator.ccf.client import RemoveRefused
from ccf_operator.domain.effects import (
    AcknowledgeState,
    AnnotateVolume,
    AnswerDecision,
    ApplyIdentity,
    ApplyRecoveryBudget,
    ApplyServices,
    ApplyTrustedBudget,
    CreateNode,
    CreateVolume,
    DeleteConfigMap,
    DeletePod,
    Effect,
    ExploreVolume,
    LabelPod,
    Propose,
    ReclaimVolume,
    ReleasePod,
    RemoveFinalizer,
    RemoveNodeRow,
    RemoveRecoveryBudget,
    Report,
    SignAsMember,
    TakeOver,
    Withdraw,
)
from ccf_operator.domain.identity import IdentityView
from ccf_operator.domain.observation import Observation, PodView, Refusal
from ccf_operator.domain.ownership import lives
from ccf_operator.domain.releasing import outlives_its_claim
from ccf_operator.kube.errors import Conflict, KubeError, NameTaken, Newer, Unavailable
from ccf_operator.kube.gateway import Confirm, Gateway, Raw
from ccf_operator.kube.ownership import may_be_taken_over, owner_uid
from ccf_operator.kube.views import identity_view, persistent_volume_view
from ccf_operator.reconcile.parse import Unreadable, network_ref, status_of
from ccf_operator.reconcile.refusals import Refusals, made_of, refusal
from ccf_operator.reconcile.signing_member import NotSigned, Recipient, SigningMember
from ccf_operator.render import labels, names
from ccf_operator.render.disruption import recovery_budget, trusted_budget
from ccf_operator.render.explorer import explorer_pod
from ccf_operator.render.identity import identity_config_map
from ccf_operator.render.names import NetworkRef
from ccf_operator.render.node_objects import node_objects
from ccf_operator.render.order import NotRenderable, Platform, order
from ccf_operator.render.services import services
from ccf_operator.render.volume_objects import claim, claim_again

APPLY_AGAIN_SECONDS = 60.0
"""After how long an object that was applied is applied again, unchanged: what someone else did to it is undone."""

SIGNED_WITHIN = timedelta(seconds=10)
"""How long after a look a message that was decided on in it may be signed."""

SOON, SHORTEST_PAUSE = 3600.0, 0.05
"""Seconds: where nothing is to be tried again, and at least between two tries of what was refused."""

_log = logs.get(__name__)


class HeldBack(Exception):
    """A pod is not let go after all: what it holds would go with it."""


@dataclass(frozen=True)
class Failure:
    """An effect that could not be done."""

    effect: Effect
    why: str
    passing: bool
    """Trying again may well do, so it is not worth an event."""


@dataclass
class Actor:
    """Does the effects of one network."""

    gateway: Gateway
    platform: Platform
    member: SigningMember
    _applied: dict[tuple[str, str], tuple[float, Mapping[str, Any]]] = field(default_factory=dict)
    _taken: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    _published: set[Report] = field(default_factory=set)
    _refusals: Refusals = field(default_factory=Refusals)

    async def act(
        self, effects: tuple[Effect, ...], raw: Raw, observation: Observation, status: NetworkStatus
    ) -> list[Failure]:
        """Do all of `effects`, what is urgent first and side by side, the rest in its order; what failed.

        `raw` is the network object and `status` its status as last written.
        """
        failures: list[Failure] = []
        taken = set(self._taken)
        self._published &= {effect for effect in effects if isinstance(effect, Report)}

        self._refusals.keep(effects)

        async def attempt(effect: Effect) -> None:
            if not self._refusals.is_due(effect, made_of(effect, observation)):
                return
            failure = await self._attempt(effect, raw, observation, status)
            if failure is not None:
                failures.append(failure)

        volumes, pods, rest = _in_turns(effects)
        for urgent in (volumes, pods):
            async with asyncio.TaskGroup() as tasks:
                for effect in urgent:
                    tasks.create_task(attempt(effect))
        # One after the other, for nobody waits for them, but kubelets and the scheduler now wait for the API server.
        for effect in rest:
            if not (isinstance(effect, Report) and self._cannot_tell(failures)):
                await attempt(effect)
        if self._taken.keys() - taken:
            await self._find_all_taken(observation, status)
        return failures

    async def _find_all_taken(self, observation: Observation, status: NetworkStatus) -> None:
        """Where one name is taken see to the others that will be needed, too: people want to be told once."""
        network = NetworkRef(observation.name, observation.namespace, observation.uid)
        known_lives = lives(observation, status)
        for manifest in (*services(network), trusted_budget(network, 0), recovery_budget(network), _identity(network)):
            kind, name = str(manifest["kind"]), str(manifest["metadata"]["name"])
            with contextlib.suppress(KubeError):
                found = await self.gateway.find(manifest["apiVersion"], kind, network.namespace, name)
                if found is None or may_be_taken_over(found, network, known_lives):
                    continue
                if _belongs_to_another(manifest, found):
                    self._taken[kind, name] = manifest

    @property
    def published(self) -> frozenset[Report]:
        """Of the events last asked for, those that need not be asked for again."""
        return frozenset(self._published)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """What was refused at its last try and is still asked for."""
        return self._refusals.standing

    def next_try(self) -> float:
        """Seconds until something that was refused is to be tried again."""
        due = self._refusals.next_due()
        return SOON if due is None else max(due, SHORTEST_PAUSE)

    def _cannot_tell(self, failures: list[Failure]) -> bool:
        """Whether an event could not be published for now: the others wait for the next look, too, and cost no time."""
        return any(isinstance(one.effect, Report) and one.effect not in self._published for one in failures)

    async def names_taken(self) -> tuple[str, ...]:
        """Objects, as `Kind name`, that still bear a name we need and still belong to someone else.

        Raises KubeError.
        """
        for key, manifest in list(self._taken.items()):
            metadata = manifest["metadata"]
            found = await self.gateway.find(
                manifest["apiVersion"], manifest["kind"], metadata["namespace"], metadata["name"]
            )
            if found is None or not _belongs_to_another(manifest, found):
                del self._taken[key]
        return tuple(f"{kind} {name}" for kind, name in sorted(self._taken))

    async def _attempt(
        self, effect: Effect, raw: Raw, observation: Observation, status: NetworkStatus
    ) -> Failure | None:
        log = _log.bind(effect=type(effect).__name__, node=_node_of(effect))
        try:
            outcome = await self._do(effect, raw, observation, status)
        except (KubeError, RemoveRefused, NotSigned, NotRenderable, Unreadable, HeldBack, ValueError) as error:
            told = isinstance(effect, Report)  # an event about an event that could not be published helps nobody
            log.log(
                logging.INFO if told else logging.WARNING, "effect failed", error=str(error), detail=_detail(effect)
            )
            passing = told or isinstance(error, (Unavailable, Conflict, RemoveRefused, NotSigned, HeldBack))
            if not isinstance(error, NameTaken | HeldBack):
                self._refusals.refuse(
                    refusal(effect, error, observation, passing=passing),
                    made_of(effect, observation),
                    urgent=status.attempt is not None or status.start is not None,
                )
            return Failure(effect, str(error), passing)
        if outcome:
            log.info(outcome, detail=_detail(effect))
            self._refusals.done(effect)
        else:
            self._refusals.forget(effect)
        return None

    async def _do(self, effect: Effect, raw: Raw, observation: Observation, status: NetworkStatus) -> str:
        """What was done, in a word for the log; empty where there was nothing to do."""
        network = NetworkRef(observation.name, observation.namespace, observation.uid)
        namespace = network.namespace
        match effect:
            case CreateVolume(volume):
                user = next((r.name for r in reversed(status.nodes) if r.volume == volume), "")
                return await self._create(claim(observation.spec, network, volume, user))
            case ReclaimVolume(volume):
                user = next((r.name for r in reversed(status.nodes) if r.volume == volume), "")
                return await self._create(claim_again(observation.spec, network, effect, user))
            case AnnotateVolume(volume, uid, facts):
                claim_seen = observation.claims.get(volume)
                version = claim_seen.version if claim_seen is not None else None
                changes = {labels.RECOVERY_FACTS: facts}
                # At the version that was seen: what another has written since may be of a later service.
                return str(await self.gateway.annotate_claim(namespace, volume, uid, version, changes))
            case ExploreVolume(volume, claim_uid):
                image = self.platform.stage_image
                return await self._create(explorer_pod(observation.spec, network, image, volume, claim_uid))
            case CreateNode(node):
                wanted = order(self.platform, network, observation.spec, status, observation.inputs, node)
                outcomes = [await self._create(manifest) for manifest in node_objects(wanted)]
                return next((outcome for outcome in outcomes if outcome), "")
            case DeletePod(pod, uid, grace_seconds):
                return str(await self.gateway.delete_pod(namespace, pod, uid, grace_seconds))
            case ReleasePod(pod, uid):
                if _is_released(observation.pods.get(pod), uid):
                    return ""  # the rest is the kubelet's
                await self._must_not_take_along(observation, pod)
                # Deleted first: whatever comes between, the finalizer that is left says that this is not finished.
                await self.gateway.delete_pod(namespace, pod, uid)
                return str(await self.gateway.remove_pod_finalizer(namespace, pod, uid))
            case DeleteConfigMap(name):
                return str(await self.gateway.delete_config_map(namespace, name))
            case LabelPod(pod, uid, changes):
                return str(await self.gateway.patch_labels(namespace, pod, uid, dict(changes)))
            case TakeOver(kind, name, uid):
                return str(await self.gateway.take_over("v1", kind, name, uid, network, lives(observation, status)))
            case ApplyServices():
                return await self._apply_all(services(network), network, lives(observation, status))
            case ApplyTrustedBudget(min_available):
                confirm = self._still(network, status, _configurations)
                manifest = trusted_budget(network, min_available)
                return await self._apply(manifest, network, lives(observation, status), confirm)
            case ApplyRecoveryBudget():
                confirm = self._still(network, status, _in_recovery)
                return await self._apply(recovery_budget(network), network, lives(observation, status), confirm)
            case RemoveRecoveryBudget():
                confirm = self._still(network, status, _in_recovery)
                return await self._remove(recovery_budget(network), network, lives(observation, status), confirm)
            case ApplyIdentity(instead_of):
                manifest = identity_config_map(network, status.service)
                confirm = self._still(network, status, lambda now: identity_config_map(network, now.service))
                check = _takes_the_place_of(instead_of, manifest)
                return await self._apply(manifest, network, lives(observation, status), confirm, check)
            case RemoveNodeRow(through, node_id):
                return await self._remove_row(observation, status, through, node_id)
            case AcknowledgeState() | Propose() | Withdraw():
                return await self._sign(effect, network, observation, status)
            case AnswerDecision(decision, uid, state, message, at):
                answer = CCFRecoveryDecisionStatus(state=state, message=message, at=at)
                body = answer.model_dump(mode="json", by_alias=True)
                return str(await self.gateway.answer_decision(namespace, decision, uid, body))
            case RemoveFinalizer():
                return str(await self.gateway.remove_network_finalizer(namespace, network.name, network.uid))
            case Report():
                return await self._publish(effect, raw)

    async def _must_not_take_along(self, observation: Observation, pod: str) -> None:
        """Raises HeldBack if the pod holds a claim whose ledger would go with it, as things are at this moment."""
        seen = observation.pods.get(pod)
        volume = seen.labels.get(labels.VOLUME) if seen is not None else None
        if volume is None or observation.namespace_terminating:
            return
        raw = await self.gateway.get_claim(observation.namespace, volume)
        name = ((raw or {}).get("spec") or {}).get("volumeName")
        if raw is None or not raw["metadata"].get("deletionTimestamp") or not name:
            return
        found = await self.gateway.get_pv(name)
        if found is not None and not outlives_its_claim(persistent_volume_view(found)):
            raise HeldBack(f"{pod} holds {volume}, which is being deleted: {name} would go along")

    async def _publish(self, event: Report, raw: Raw) -> str:
        if event in self._published:
            return ""
        try:
            outcome = await self.gateway.publish_event(
                raw,
                reason=event.reason,
                note=event.message,
                warning=event.warning,
                key=event.at.isoformat(),
                at=event.at,
            )
        except Unavailable:
            raise
        except KubeError:
            self._published.add(event)  # refused: it would be again
            raise
        self._published.add(event)
        return "created" if outcome == "created" else ""

    async def _create(self, manifest: Mapping[str, Any]) -> str:
        try:
            outcome = await self.gateway.create(manifest)
        except NameTaken as error:
            self._taken[error.kind, error.name] = manifest
            raise
        except KubeError as error:
            error.about = _title(manifest)
            raise
        return "created" if outcome == "created" else ""

    async def _apply_all(
        self, manifests: tuple[Mapping[str, Any], ...], network: NetworkRef, known_lives: frozenset[str]
    ) -> str:
        """Apply each, whatever becomes of the others. Raises what the first that failed did."""
        outcomes: list[str] = []
        failed: list[KubeError] = []
        for manifest in manifests:
            try:
                outcomes.append(await self._apply(manifest, network, known_lives))
            except KubeError as error:
                failed.append(error)
        if failed:
            raise failed[0]
        return next((outcome for outcome in outcomes if outcome), "")

    def _still(self, network: NetworkRef, status: NetworkStatus, of: Callable[[NetworkStatus], object]) -> Confirm:
        """A check that what an object is made of has not changed since.

        Clients and evictions trust these objects: an operator that has slept through a recovery must not publish what
        was true before.
        """

        async def confirm() -> None:
            now = await self.gateway.get_network(network.namespace, network.name)
            if now is None or network_ref(now) != network:
                raise Conflict("the network is gone")
            if of(status_of(now)) != of(status):
                raise Conflict("the network has changed meanwhile")

        return confirm

    async def _apply(
        self,
        manifest: Mapping[str, Any],
        network: NetworkRef,
        known_lives: frozenset[str],
        confirm: Confirm | None = None,
        instead_of: Callable[[Raw | None], None] = lambda _existing: None,
    ) -> str:
        key = (str(manifest["kind"]), str(manifest["metadata"]["name"]))
        known = self._applied.get(key)
        unchanged = known is not None and known[1] == manifest
        if known is not None and unchanged and time.monotonic() - known[0] < APPLY_AGAIN_SECONDS:
            return ""
        try:
            await self.gateway.apply(manifest, network, confirm, known_lives, instead_of)
        except NameTaken as error:
            self._taken[error.kind, error.name] = manifest
            raise
        except KubeError as error:
            error.about = _title(manifest)
            raise
        self._applied[key] = (time.monotonic(), manifest)
        return "" if unchanged else "applied"

    async def _remove(
        self, manifest: Mapping[str, Any], network: NetworkRef, known_lives: frozenset[str], confirm: Confirm
    ) -> str:
        """Delete an object that was once applied. That it is not there is believed for as long as an apply is."""
        key, metadata = (str(manifest["kind"]), str(manifest["metadata"]["name"])), manifest["metadata"]
        known = self._applied.get(key)
        if known is not None and known[1] == {} and time.monotonic() - known[0] < APPLY_AGAIN_SECONDS:
            return ""
        found = await self.gateway.find(
            manifest["apiVersion"], manifest["kind"], metadata["namespace"], metadata["name"]
        )
        outcome = ""
        if found is not None and (owner_uid(found) == network.uid or may_be_taken_over(found, network, known_lives)):
            await confirm()
            await self.gateway.delete_budget(metadata["namespace"], metadata["name"], found["metadata"]["uid"])
            outcome = "removed"
        self._applied[key] = (time.monotonic(), {})
        return outcome

    async def _remove_row(self, observation: Observation, status: NetworkStatus, through: str, node_id: str) -> str:
        record, pod = status.node(through), observation.pods.get(through)
        if record is None or record.node_id is None or pod is None or pod.ip is None:
            raise RemoveRefused(f"{through} cannot be reached")
        await client.remove_row(pod.ip, names.OPERATOR_PORT, record.node_id, node_id)
        return "removed"

    async def _sign(
        self, message: SignAsMember, network: NetworkRef, observation: Observation, status: NetworkStatus
    ) -> str:
        """Only on the strength of a look that is fresh, and of the last that any operator has made.

        Nodes that were to be trusted may have ended since, and a service that trusts them then waits for them.
        """
        record, pod = status.node(message.through), observation.pods.get(message.through)
        wanted, certificate = observation.spec.governance.operator_member, status.service.certificate
        if record is None or record.node_id is None or pod is None or pod.ip is None:
            raise NotSigned(f"{message.through} cannot be reached")
        if wanted is None or certificate is None:
            raise NotSigned("no member may sign for the operator")
        still = self._still(network, status, _last_signed)

        async def confirm() -> None:
            await still()
            if datetime.now(UTC) - observation.now > SIGNED_WITHIN:
                raise NotSigned("it was decided too long ago")

        recipient = Recipient(pod.ip, record.node_id, certificate)
        return await self.member.sign(message, network.namespace, wanted.secret_ref.name, recipient, confirm)


def _title(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def _in_turns(effects: tuple[Effect, ...]) -> tuple[list[Effect], list[Effect], list[Effect]]:
    """Volumes; the pods on them, made and ended; and what only tells or tidies up.

    Last what waits for a node's answer, or is the end of all: these two never come together."""
    volumes: list[Effect] = [effect for effect in effects if isinstance(effect, CreateVolume | ReclaimVolume)]
    pods: list[Effect] = [effect for effect in effects if isinstance(effect, CreateNode | DeletePod)]
    rest = [
        effect for effect in effects if not isinstance(effect, CreateVolume | ReclaimVolume | CreateNode | DeletePod)
    ]
    return volumes, pods, sorted(rest, key=lambda effect: isinstance(effect, SignAsMember | RemoveFinalizer))


def _identity(network: NetworkRef) -> dict[str, Any]:
    """The name of the identity ConfigMap, before there is anything to put into it."""
    return identity_config_map(network, ServiceStatus(certificate="-"))


def _takes_the_place_of(seen: IdentityView | None, manifest: Mapping[str, Any]) -> Callable[[Raw | None], None]:
    """A check that clients are still told what they were when this was decided, or that already, or something older."""
    wanted = identity_view(manifest)

    def check(existing: Raw | None) -> None:
        found = identity_view(existing) if existing is not None else None
        if found is None or found in (seen, wanted) or found.recovery_count < wanted.recovery_count:
            return
        raise Newer(f"clients are told of service {found.fingerprint}, recovered {found.recovery_count} times, by now")

    return check


def _last_signed(status: NetworkStatus) -> object:
    """What the operator's member has signed last, as the API server keeps it."""
    return status.operator_member.model_dump_json() if status.operator_member is not None else None


def _configurations(status: NetworkStatus) -> object:
    """What it is counted from how many trusted nodes must stay."""
    attempt = status.attempt
    recovering = attempt.network if attempt is not None else None
    winner = attempt.winner.node if attempt is not None and attempt.winner is not None else None
    return winner, *(found.nodes if found is not None else None for found in (status.configuration, recovering))


def _in_recovery(status: NetworkStatus) -> object:
    """Whether there are candidates to keep."""
    return status.attempt is not None


def _belongs_to_another(manifest: Mapping[str, Any], found: Raw) -> bool:
    [owner] = manifest["metadata"].get("ownerReferences") or [None]
    if owner is not None:
        return bool(owner_uid(found) != owner["uid"])
    key = labels.NETWORK_UID
    return bool((found["metadata"].get("labels") or {}).get(key) != manifest["metadata"]["labels"].get(key))


def _is_released(pod: PodView | None, uid: str) -> bool:
    return pod is not None and pod.uid == uid and pod.deleting and labels.POD_FINALIZER not in pod.finalizers


def _node_of(effect: Effect) -> str | None:
    match effect:
        case CreateNode(node):
            return node
        case DeletePod(pod) | ReleasePod(pod) | LabelPod(pod):
            return pod
        case TakeOver(name=name):
            return name
        case DeleteConfigMap(name):
            return name
        case RemoveNodeRow(through) | AcknowledgeState(through) | Propose(through) | Withdraw(through):
            return through
    return None


def _detail(effect: Effect) -> str | None:
    match effect:
        case CreateVolume(volume) | ReclaimVolume(volume) | AnnotateVolume(volume) | ExploreVolume(volume):
            return volume
        case LabelPod(labels=changes):
            return ", ".join(f"{key}={value}" for key, value in changes)
        case RemoveNodeRow(node_id=node_id):
            return node_id
        case Propose(actions=actions):
            return ", ".join(str(action.get("name")) for action in actions)
        case Withdraw(proposal_id=proposal_id):
            return proposal_id
        case AnswerDecision(decision, state=state):
            return f"{decision}: {state.value}"
        case Report(reason, message):
            return f"{reason}: {message}"
    return None


__all__ = ["Actor", "Failure"]
