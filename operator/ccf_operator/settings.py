"""The operator's settings, from its environment; the chart sets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

LEVELS = ("debug", "info", "warning", "error")


class BadSettings(ValueError):
    """A setting is missing or makes no sense."""


@dataclass(frozen=True)
class Settings:
    """What the operator is told when it starts."""

    image: str
    """Image of the operator itself, which the init container `stage` runs."""
    namespaces: tuple[str, ...] = ()
    """Namespaces it watches; empty: all."""
    role_binding: str = ""
    """Name of the RoleBinding that gives the operator its rights in each of them; empty: it has them otherwise."""
    cluster_domain: str = "cluster.local"
    log_level: str = "info"
    log_format: Literal["json", "console"] = "json"
    health_port: int = 8080
    pod_name: str = "ccf-operator"
    """Signs events."""
    pod_namespace: str = ""
    machine: str = ""
    """The Kubernetes Node it runs on; people are told where it cannot reach any node from there."""


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Settings from `CCF_OPERATOR_*`, `POD_NAME`, `POD_NAMESPACE` and `NODE_NAME`.

    Raises BadSettings, naming the variable.
    """
    image = environment.get("CCF_OPERATOR_IMAGE", "").strip()
    if not image:
        raise BadSettings("CCF_OPERATOR_IMAGE must name the operator's own image: nodes stage their volumes with it")
    level = environment.get("CCF_OPERATOR_LOG_LEVEL", "info").lower()
    if level not in LEVELS:
        raise BadSettings(f"CCF_OPERATOR_LOG_LEVEL is {level!r}; it may be {', '.join(LEVELS)}")
    log_format = environment.get("CCF_OPERATOR_LOG_FORMAT", "json").lower()
    if log_format not in ("json", "console"):
        raise BadSettings(f"CCF_OPERATOR_LOG_FORMAT is {log_format!r}; it may be json or console")
    port = environment.get("CCF_OPERATOR_HEALTH_PORT", "8080")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise BadSettings(f"CCF_OPERATOR_HEALTH_PORT is {port!r}; it must be a port number")
    namespaces = environment.get("CCF_OPERATOR_WATCH_NAMESPACES", "")
    return Settings(
        image=image,
        namespaces=tuple(sorted({name.strip() for name in namespaces.split(",") if name.strip()})),
        role_binding=environment.get("CCF_OPERATOR_ROLE_BINDING", "").strip(),
        cluster_domain=environment.get("CCF_OPERATOR_CLUSTER_DOMAIN", "").strip(".") or "cluster.local",
        log_level=level,
        log_format="json" if log_format == "json" else "console",
        health_port=int(port),
        pod_name=environment.get("POD_NAME", "") or "ccf-operator",
        pod_namespace=environment.get("POD_NAMESPACE", ""),
        machine=environment.get("NODE_NAME", ""),
    )
