"""How kstatus judges a custom resource, and so Flux (sigs.k8s.io/cli-utils/pkg/kstatus/status, Compute).

Quick, for what is tried thousands of times; tests/integration/test_kstatus.py asks the library itself about the same
cases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def compute(of: Mapping[str, Any]) -> str:
    """Terminating, InProgress, Failed or Current; the first rule that applies decides."""
    metadata, status = of["metadata"], of.get("status", {})
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    generation = metadata.get("generation")
    if generation is not None and status.get("observedGeneration", generation) != generation:
        return "InProgress"
    conditions = status.get("conditions", [])
    for condition in conditions:
        if condition["type"] == "Reconciling" and condition["status"] == "True":
            return "InProgress"
        if condition["type"] == "Stalled" and condition["status"] == "True":
            return "Failed"
    for condition in conditions:
        if condition["type"] == "Ready":
            return "Current" if condition["status"] == "True" else "InProgress"
    return "Current"
