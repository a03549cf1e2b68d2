"""The operator, put together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import kopf
from kopf._core.engines.peering import Identity

from ccf_operator.domain.decide import decide
from ccf_operator.domain.observation import OperatorView
from ccf_operator.handlers import health
from ccf_operator.handlers.lives import Lives
from ccf_operator.handlers.registry import registry
from ccf_operator.kube.definitions import Definitions
from ccf_operator.kube.gateway import Gateway, Raw
from ccf_operator.reconcile.act import Actor
from ccf_operator.reconcile.awaited import Awaited
from ccf_operator.reconcile.loop import Decide, NetworkLoop
from ccf_operator.reconcile.observe import Clock, Observer, now
from ccf_operator.reconcile.orphans import Orphans
from ccf_operator.reconcile.reachability import Reachability
from ccf_operator.reconcile.rights import Rights
from ccf_operator.reconcile.signing_member import SigningMember
from ccf_operator.reconcile.watch import Watchers
from ccf_operator.render.order import Platform
from ccf_operator.settings import Settings


@dataclass
class Operator:
    """What kopf's handlers drive (`handlers.registry.Application`)."""

    settings: Settings
    definitions: Definitions
    decide: Decide = decide
    clock: Clock = now
    _gateway: Gateway | None = None
    _watchers: Watchers = field(init=False)
    _orphans: Orphans | None = None
    _reachability: Reachability = field(init=False)
    _awaited: Awaited | None = None
    _awaiting: asyncio.Task[None] | None = None
    _rights: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        settings = self.settings
        self._reachability = Reachability(
            OperatorView(pod=settings.pod_name, namespace=settings.pod_namespace, machine=settings.machine), self.clock
        )
        self._watchers = Watchers(self._build)

    async def start(self) -> None:
        """Connect to the API server."""
        self._gateway = await Gateway.connect(identity=self.settings.pod_name)
        self._orphans = Orphans(self._gateway)
        self._awaited = Awaited(self._gateway)
        self._awaiting = asyncio.create_task(self._awaited.run(), name="awaited ConfigMaps")
        self.definitions.listeners.add(self._watchers.wake_all)
        if self.settings.role_binding:
            rights = Rights(self._gateway, self.settings.role_binding, self.settings.namespaces)
            self._rights = asyncio.create_task(rights.run(), name="rights")

    async def close(self) -> None:
        """End every loop and disconnect."""
        self.definitions.listeners.discard(self._watchers.wake_all)
        if self._rights is not None:
            self._rights.cancel()
            await asyncio.gather(self._rights, return_exceptions=True)
        await self._watchers.close()
        if self._awaiting is not None:
            self._awaiting.cancel()
            await asyncio.gather(self._awaiting, return_exceptions=True)
        if self._orphans is not None:
            await self._orphans.close()
        if self._gateway is not None:
            await self._gateway.close()

    def network_seen(self, raw: Raw) -> None:
        """A CCFNetwork exists or has changed."""
        self._watchers.network_seen(raw)

    def network_gone(self, namespace: str, network: str) -> None:
        """A CCFNetwork is not there any more."""
        self._watchers.wake(namespace, network)
        if self._orphans is not None:
            self._orphans.network_gone(namespace, network)

    def pod_seen(self, raw: Raw) -> None:
        """A pod of some network exists."""
        if self._orphans is not None:
            self._orphans.pod_seen(raw)

    def wake(self, namespace: str, network: str) -> None:
        """Something of this network has changed."""
        self._watchers.wake(namespace, network)

    def watched(self) -> int:
        """How many networks are looked after."""
        return len(self._watchers)

    def _build(self, namespace: str, name: str, uid: str) -> NetworkLoop:
        assert self._gateway is not None, "a network is seen before the operator has started"
        domain, wake = self.settings.cluster_domain, asyncio.Event()
        member = SigningMember(self._gateway.get_secret)
        return NetworkLoop(
            gateway=self._gateway,
            observer=Observer(
                self._gateway,
                member=member,
                cluster_domain=domain,
                stage_image=self.settings.image,
                clock=self.clock,
                heard=wake.set,
                reachability=self._reachability,
            ),
            actor=Actor(self._gateway, Platform(stage_image=self.settings.image, cluster_domain=domain), member),
            decide=self.decide,
            namespace=namespace,
            name=name,
            uid=uid,
            wake=wake,
            awaited=self._awaited,
            withheld=lambda: self.definitions.blocking,
            doubt=self.definitions.doubt,
        )


async def serve(settings: Settings, stop: asyncio.Event | None = None, clock: Clock = now) -> None:
    """Run the operator until it is told to stop, by a signal or by `stop`.

    Raises `kubernetes.aio.config.ConfigException` where nothing says how to reach the API server.
    """
    async with await Gateway.connect(identity=settings.pod_name) as gateway:
        definitions = Definitions(gateway)
        lives = Lives(definitions, stop if stop is not None else asyncio.Event())
        operator = Operator(settings, definitions, clock=clock)

        async def live(ended: asyncio.Event) -> None:
            nonlocal operator
            operator = Operator(settings, definitions, clock=clock)
            await kopf.operator(
                registry=registry(operator),
                standalone=True,
                # Named here, for kopf would look for the name of a user that the image does not have.
                identity=Identity(settings.pod_name),
                clusterwide=not settings.namespaces,
                namespaces=settings.namespaces,
                stop_flag=ended,
            )

        async with health.serving(settings.health_port, lambda: operator.watched(), lambda: lives.problems):
            await lives.run(live)
