"""Networks in every phase, as a model of the cluster and the operator's own decisions bring them about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ccf_operator.api.decision import Action
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.cli.network import Network, Pod
from unit.domain.world import UID, World


@dataclass(frozen=True)
class Scene:
    """What a command sees."""

    network: Network
    live: Mapping[str, NodeAnswers]
    now: datetime


def scene(world: World, *strangers: str) -> Scene:
    """What is seen of a world a minute after its last moment. Strangers: pods nobody of ours made."""
    seen = world.observe()
    pods = {
        name: Pod(name, world.pods[name].uid, "10.0.0.1", world.pods[name].machine, name in seen.answers)
        for name in world.pods
    }
    pods |= {name: Pod(name, f"uid-{name}", "10.0.0.9", "machine-0", True) for name in strangers}
    spec = {"recovery": {"mode": world.spec.recovery.mode.value}}
    network = Network("bank", "default", UID, spec, world.status, pods)
    return Scene(network, dict(seen.answers), world.now + timedelta(minutes=1))


def creating() -> World:
    return World()


def awaiting_open() -> World:
    world = World()
    world.settle()
    return world


def running() -> World:
    world = awaiting_open()
    world.open()
    world.settle()
    world.write(1200)
    world.settle()
    return world


def degraded() -> World:
    world = running()
    world.kill(world.serving()[0])
    world.settle()
    return world


def suspected() -> World:
    """The machines of two nodes are not heard of any more, and nor are these."""
    world = running()
    for name in world.serving()[:2]:
        world.history.cluster.lose_sight(world.pods[name].machine or "")
    world.settle()
    world.now += timedelta(minutes=2)
    world.settle()
    return world


def not_answering() -> World:
    """Two nodes run on machines that are Ready, and do not answer."""
    world = running()
    world.silence(*world.serving()[:2])
    world.settle()
    world.now += timedelta(minutes=2)
    world.settle()
    return world


def recovering() -> World:
    world = running()
    world.kill(*world.serving()[:2])
    for _ in range(20):
        world.step()
        if world.status.attempt is not None and any(c.node for c in world.status.attempt.candidates):
            return world
    raise AssertionError("no candidate was started")


def awaiting_members() -> World:
    world = running()
    world.kill(*world.serving()[:2])
    world.settle()
    return world


def awaiting_approval() -> World:
    world = running()
    for name in sorted(world.claims)[1:]:
        del world.claims[name]
    world.kill(*world.living())
    world.settle()
    return world


def paused() -> World:
    world = awaiting_approval()
    assert world.status.attempt is not None
    world.decide(Action.ABORT, world.status.attempt.token, reason="wrong machines")
    world.settle()
    return world


def ending() -> World:
    """A person has started a recovery of a service that runs."""
    world = running()
    assert world.status.recovery_token is not None
    world.decide(Action.START, world.status.recovery_token, reason="drill of March")
    world.step()
    return world


def volumes_found() -> World:
    world = running()
    world.delete()
    world.settle()
    world.create_again()
    world.settle()
    return world


def volumes_being_read() -> World:
    """The claims say nothing, and the machines of two of them do not answer."""
    world = running()
    world.delete()
    world.forget_annotations()
    for volume in sorted(world.claims)[:2]:
        world.machines[world.claims[volume].machine or ""].cut = True
    world.create_again()
    world.settle()
    return world


def recovered() -> World:
    world = awaiting_members()
    world.accept()
    world.settle()
    return world


SCENES: dict[str, Callable[[], World]] = {
    "creating": creating,
    "awaiting open": awaiting_open,
    "running": running,
    "degraded": degraded,
    "suspected": suspected,
    "recovering": recovering,
    "awaiting members": awaiting_members,
    "awaiting approval": awaiting_approval,
    "recovered": recovered,
    "paused": paused,
    "ending": ending,
    "volumes found": volumes_found,
    "volumes being read": volumes_being_read,
}
