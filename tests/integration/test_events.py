"""Events that the API server does not take."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ccf_operator.api.status import PendingEvent
from ccf_operator.domain.pending_events import publication
from ccf_operator.kube.gateway import Gateway
from ccf_operator.reconcile.act import Actor
from ccf_operator.reconcile.observe import Observer
from ccf_operator.reconcile.signing_member import SigningMember
from ccf_operator.render.order import Platform
from integration.control_plane import ControlPlane
from integration.manifests import minimal
from integration.world.proxy import ApiProxy, Call, Refused, kubeconfig

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVENTS = [
    publication(PendingEvent(reason=reason, message="", at=NOW + timedelta(milliseconds=number)))
    for number, reason in enumerate(("QuorumLost", "RecoveryStarted", "WinnerChosen"))
]


@pytest.mark.parametrize(("status", "asked"), [(503, [1, 3]), (403, [3, 0])], ids=["for now", "for good"])
async def test_events_that_are_refused_hold_nothing_up(
    control_plane: ControlPlane,
    namespace: str,
    tmp_path: Path,
    create_network: Callable[..., dict[str, Any]],
    status: int,
    asked: list[int],
) -> None:
    network, refuses = create_network(minimal()), True

    async def refuse(call: Call) -> None:
        if refuses and call.path.endswith("/events"):
            raise Refused(status)

    proxy = ApiProxy(control_plane, refuse)
    config = kubeconfig(tmp_path / "kubeconfig", await proxy.start(), control_plane.token)
    async with await Gateway.connect(str(config)) as gateway:
        member = SigningMember(gateway.get_secret)
        actor = Actor(gateway, Platform(stage_image="operator"), member)
        looked = await Observer(gateway, member=member).look(network)
        counts = []
        for refuses in (True, False):
            before = len(proxy.calls)
            failures = await actor.act(tuple(EVENTS), network, looked, looked.status)
            counts.append(len(proxy.calls) - before)
            assert bool(failures) is refuses
    await proxy.close()

    assert counts == asked
    assert actor.published == frozenset(EVENTS)
