"""The commands that people are told: each is one line for any shell, complete, and good for what is shown now only."""

from __future__ import annotations

import json

from ccf_operator.api.decision import Action
from ccf_operator.domain.observation import Observation
from ccf_operator.render import labels


def decide_by(seen: Observation, action: Action, token: str, *, volume: str | None = None) -> str:
    """The command that makes a decision about this network."""
    spec = {"network": seen.name, "token": token, "action": action.value}
    if volume is not None:
        spec["volume"] = volume
    made = {
        "apiVersion": labels.API_VERSION,
        "kind": labels.DECISION_KIND,
        "metadata": {"generateName": f"{seen.name}-{action.value.lower()}-"},
        "spec": spec,
    }
    return f"echo '{json.dumps(made)}' | kubectl -n {seen.namespace} create -f -"
