"""What kopf is asked to watch, and what it then does: start loops and wake them.

Only event handlers are registered, so kopf puts nothing on any object: no finalizer, no annotation. The one finalizer
of a network is put on and taken off by its loop, for kopf takes its own off an object whose deletion it did not see
begin, and pods would be left that nobody releases.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import kopf

from ccf_operator.kube.connection import in_cluster
from ccf_operator.kube.gateway import Raw
from ccf_operator.render import labels

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_OURS = labels.to_selector({labels.MANAGED_BY: labels.FIELD_MANAGER})
_GONE = "DELETED"
_NOT_OURS = f"{labels.GROUP}/kopf"
"""A finalizer that no object bears: kopf takes the one it is told of off every object that it needs it not on."""


class Application(Protocol):
    """What the handlers drive."""

    async def start(self) -> None:
        """Connect."""

    async def close(self) -> None:
        """End every loop and disconnect."""

    def network_seen(self, raw: Raw) -> None:
        """A CCFNetwork exists or has changed."""

    def network_gone(self, namespace: str, network: str) -> None:
        """A CCFNetwork is not there any more."""

    def pod_seen(self, raw: Raw) -> None:
        """A pod of some network exists."""

    def wake(self, namespace: str, network: str) -> None:
        """Something of this network has changed."""


class Backoffs:
    """Seconds between attempts to reach the API server: there is no last one."""

    def __iter__(self) -> Iterator[float]:
        """1, 2, 4, 8 and then 10 for ever."""
        yield from (1.0, 2.0, 4.0, 8.0)
        while True:
            yield 10.0


def registry(application: Application) -> kopf.OperatorRegistry:
    """The handlers of the operator."""
    handlers = kopf.OperatorRegistry()
    kopf.on.startup(registry=handlers, id="start")(_starter(application))
    kopf.on.login(registry=handlers, id="login")(login)

    @kopf.on.cleanup(registry=handlers, id="close")
    async def close(**_: Any) -> None:
        await application.close()

    @kopf.on.event(labels.GROUP, "v1alpha1", labels.PLURAL, registry=handlers, id="network")
    async def network(event: kopf.RawEvent, **_: Any) -> None:
        raw: Any = event["object"]
        if event["type"] == _GONE:
            application.network_gone(raw["metadata"]["namespace"], raw["metadata"]["name"])
        else:
            application.network_seen(raw)

    @kopf.on.event(labels.GROUP, "v1alpha1", labels.DECISION_PLURAL, registry=handlers, id="decision")
    async def decision(event: kopf.RawEvent, **_: Any) -> None:
        raw: Any = event["object"]
        if not (raw.get("status") or {}).get("state"):  # an answer is our own doing and wakes nobody
            application.wake(raw["metadata"]["namespace"], (raw.get("spec") or {}).get("network") or "")

    for plural in ("pods", "persistentvolumeclaims", "configmaps"):
        kopf.on.event("v1", plural, registry=handlers, id=plural)(_waker(application))

    @kopf.on.event("v1", "pods", registry=handlers, id="orphans")
    async def orphans(event: kopf.RawEvent, **_: Any) -> None:
        if event["type"] != _GONE:  # those that are there at the start, too
            raw: Any = event["object"]
            application.pod_seen(raw)

    return handlers


def configure(settings: kopf.OperatorSettings) -> None:
    """Settings of kopf itself."""
    settings.posting.enabled = False
    settings.scanning.disabled = True  # needs no right to list CustomResourceDefinitions or Namespaces
    settings.persistence.finalizer = _NOT_OURS
    settings.process.ultimate_exiting_timeout = None  # kopf's end is not that of the process: `lives`
    settings.networking.error_backoffs = Backoffs()
    settings.networking.connect_timeout = 10.0
    settings.watching.chunk_size = 500
    for plural in ("pods", "persistentvolumeclaims", "configmaps"):
        settings.watching.label_selectors["v1", plural] = _OURS


def login(settings: kopf.OperatorSettings, **_: Any) -> kopf.ConnectionInfo | None:
    """Credentials: a kubeconfig, or the pod's service account at the API server's address (no DNS is needed)."""
    if not os.environ.get("KUBECONFIG") and in_cluster():
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        return kopf.ConnectionInfo(
            server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
            ca_path=str(_SERVICE_ACCOUNT / "ca.crt"),
            token=(_SERVICE_ACCOUNT / "token").read_text().strip(),
        )
    return kopf.login_with_kubeconfig(settings=settings)


def _starter(application: Application) -> Any:
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings)
        await application.start()

    return start


def _waker(application: Application) -> Any:
    async def wake(event: kopf.RawEvent, **_: Any) -> None:
        metadata: Any = event["object"]["metadata"]
        network = (metadata.get("labels") or {}).get(labels.NETWORK)
        if network and event["type"] is not None:
            application.wake(metadata["namespace"], network)

    return wake
