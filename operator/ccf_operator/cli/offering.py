"""What a shell offers for a word: names that the cluster knows, where it can be asked at once."""

from __future__ import annotations

import os
import subprocess

import typer

from ccf_operator.cli.kubectl import Kubectl
from ccf_operator.render import labels

PATIENCE = 5.0
"""Seconds that a person at a shell waits for words to choose from."""


def networks(ctx: typer.Context, incomplete: str) -> list[str]:
    """Networks in the namespace that is meant."""
    return _names(ctx, incomplete, "get", f"{labels.PLURAL}.{labels.GROUP}")


def nodes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Pods of the network that is meant."""
    return _of_network(ctx, incomplete, "pods")


def volumes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Volumes of the network that is meant."""
    return _of_network(ctx, incomplete, "persistentvolumeclaims")


def namespaces(ctx: typer.Context, incomplete: str) -> list[str]:
    """Namespaces."""
    return _names(ctx, incomplete, "get", "namespaces")


def contexts(ctx: typer.Context, incomplete: str) -> list[str]:
    """Contexts of the kubeconfig."""
    return _names(ctx, incomplete, "config", "get-contexts")


def _of_network(ctx: typer.Context, incomplete: str, kind: str) -> list[str]:
    network = ctx.params.get("name") or next(iter(ctx.args), None)  # not parsed yet where an option lacks its value
    return _names(ctx, incomplete, "get", kind, "--selector", f"{labels.NETWORK}={network}") if network else []


def _names(ctx: typer.Context, incomplete: str, *command: str) -> list[str]:
    where = Kubectl(*(ctx.params.get(flag) for flag in ("kubeconfig", "context", "namespace")))
    program = os.environ.get("KUBECTL", "kubectl")
    try:
        said = subprocess.run(
            [program, *where.flags, *command, "--output", "name"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    names = [line.rpartition("/")[2] for line in said.split()]
    return [name for name in names if name.startswith(incomplete)]
