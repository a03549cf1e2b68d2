"""Removing what the story leaves: its network, its namespace and with it the volumes."""

from __future__ import annotations

import time

from e2e.demo.following import EVERY, Stuck
from e2e.demo.screen import Screen
from e2e.harness.kubectl import Kubectl, KubectlFailed

PATIENCE = 180.0
"""Seconds that a removal may take."""


def clean(kubectl: Kubectl, screen: Screen) -> None:
    """Delete the networks of kubectl's namespace, then the namespace; nothing to do if it is not there.

    Raises Stuck."""
    namespace = kubectl.namespace
    if not kubectl.exists("namespace", namespace):
        return
    screen.say("kubectl", f"delete namespace {namespace}: what an earlier run has left, its volumes too")
    deadline = time.monotonic() + PATIENCE
    with screen.waiting(f"removing namespace {namespace}") as wait:
        if _has_networks(kubectl):
            kubectl.delete("ccfnetwork", kubectl.names("ccfnetwork"), "--wait=false")
        kubectl.delete("namespace", [namespace], "--wait=false")
        while kubectl.exists("namespace", namespace):
            left = _left(kubectl)
            wait.show(f"still there: {left}")
            if time.monotonic() > deadline:
                raise Stuck(
                    f"namespace {namespace} is still there after {PATIENCE:g} s ({left}). The operator takes its "
                    "finalizer off a network: see whether it runs (kubectl -n ccf-operator get pods)"
                )
            time.sleep(EVERY)


def _has_networks(kubectl: Kubectl) -> bool:
    try:
        return bool(kubectl.names("ccfnetwork"))
    except KubectlFailed:
        return False


def _left(kubectl: Kubectl) -> str:
    try:
        names = kubectl.run("get", "pods,pvc", "--output", "name").split()
    except KubectlFailed as problem:
        return str(problem)
    if _has_networks(kubectl):
        names.insert(0, "the network")
    return ", ".join(names) or "the namespace itself"
