"""Networks of every phase as objects, and how whoever waits for them must judge them."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from ccf_operator.api.crd import UNSEEN_STATUS
from ccf_operator.domain.decide import decide
from ccf_operator.domain.observation import Inputs
from ccf_operator.reconcile.parse import to_wire
from unit.cli.phases import SCENES
from unit.domain.world import World


@dataclass(frozen=True)
class Case:
    """A network and its right judgements: kstatus', Argo CD's, and whether `kubectl wait` for Ready is over."""

    name: str
    make: Callable[[], World]
    kstatus: str
    argocd: str
    ready: bool = False
    change: Callable[[dict[str, Any]], None] = lambda _: None


def _inputs_missing() -> World:
    world = World()
    seen = replace(world.observe(), inputs=Inputs(problems=("ConfigMap constitution does not exist",)))
    world.status = decide(seen).status
    return world


def _start_failed() -> World:
    world = World()
    for _ in range(20):
        world.step()
        if world.pods:
            world.kill(*world.living())
            world.settle()
            return world
    raise AssertionError("no node was started")


def _lost_before_open() -> World:
    world = SCENES["awaiting open"]()
    world.kill(*world.living())
    world.settle()
    return world


def _scaled(nodes: int) -> World:
    world = SCENES["running"]()
    world.spec = world.spec.model_copy(update={"nodes": nodes})
    world.generation += 1
    world.settle()
    return world


def _one_silent() -> World:
    world = SCENES["running"]()
    led = world.primary_of(world.service)
    world.silence(next(name for name, pod in world.pods.items() if pod.process and pod.process.node_id != led))
    world.settle()
    world.now += timedelta(minutes=2)
    world.settle()
    return world


def _disabled() -> World:
    world = World(recovery={"mode": "Disabled"}).running()
    world.kill(*world.living())
    world.settle()
    return world


def _shares_awaited() -> World:
    world = SCENES["awaiting members"]()
    world.vote()
    world.settle()
    return world


def _decrypting() -> World:
    world = SCENES["awaiting members"]()
    world.vote()
    world.submit()
    world.settle()
    return world


def _deleting() -> World:
    world = SCENES["running"]()
    world.deleting = True
    world.step()
    return world


def _is_deleted(of: dict[str, Any]) -> None:
    of["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"


def _is_changed(of: dict[str, Any]) -> None:
    of["metadata"]["generation"] += 1


def _has_no_status(of: dict[str, Any]) -> None:
    of["status"] = dict(UNSEEN_STATUS)


CASES = (
    Case("unseen", World, "InProgress", "Progressing", change=_has_no_status),
    Case("inputs missing", _inputs_missing, "InProgress", "Progressing"),
    Case("awaiting open", SCENES["awaiting open"], "InProgress", "Suspended"),
    Case("start failed", _start_failed, "Failed", "Degraded"),
    Case("lost before open", _lost_before_open, "Failed", "Degraded"),
    Case("running", SCENES["running"], "Current", "Healthy", ready=True),
    Case("changed and not seen yet", SCENES["running"], "InProgress", "Progressing", ready=True, change=_is_changed),
    Case("more nodes wanted", lambda: _scaled(4), "InProgress", "Suspended"),
    Case("fewer nodes wanted", lambda: _scaled(1), "InProgress", "Suspended", ready=True),
    Case("one node ended", SCENES["degraded"], "InProgress", "Suspended"),
    Case("one node silent", _one_silent, "InProgress", "Progressing"),
    Case("quorum suspected", SCENES["suspected"], "Failed", "Degraded"),
    Case("recovering", SCENES["recovering"], "InProgress", "Progressing"),
    Case("recovery disabled", _disabled, "Failed", "Degraded"),
    Case("approval required", SCENES["awaiting approval"], "Failed", "Degraded"),
    Case("paused", SCENES["paused"], "Failed", "Degraded"),
    Case("volumes found", SCENES["volumes found"], "Failed", "Degraded"),
    Case("service offered", SCENES["awaiting members"], "InProgress", "Suspended"),
    Case("shares awaited", _shares_awaited, "InProgress", "Suspended"),
    Case("decrypting", _decrypting, "InProgress", "Progressing"),
    Case("deleting", _deleting, "Terminating", "Progressing", change=_is_deleted),
)


@functools.cache
def _made(case: Case) -> dict[str, Any]:
    world = case.make()
    made = {
        "apiVersion": "ccf.dev/v1alpha1",
        "kind": "CCFNetwork",
        "metadata": {"name": "bank", "namespace": "default", "generation": world.generation},
        "spec": world.spec.model_dump(mode="json", by_alias=True, exclude_none=True),
        "status": to_wire(world.status),
    }
    case.change(made)
    return made


def object_of(case: Case) -> dict[str, Any]:
    """The network as the API server shows it."""
    return copy.deepcopy(_made(case))
