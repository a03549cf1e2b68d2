"""The CEL rules of a CCFRecoveryDecision, by their place in the object (see `api.rules`)."""

from __future__ import annotations

from ccf_operator.api.rules import Rule

DECISION_RULES: dict[str, tuple[Rule, ...]] = {
    ".spec": (
        Rule("self == oldSelf", "a decision is made once and stays as a record: create another CCFRecoveryDecision"),
        Rule(
            "!(self.action in ['Exclude', 'Pin']) || has(self.volume)",
            "say which volume: add volume: <name of the PersistentVolumeClaim>",
        ),
        Rule(
            "!has(self.volume) || self.action in ['Exclude', 'Pin', 'Adopt']",
            "only Exclude, Pin and Adopt are about a volume: leave volume out, or write another action",
        ),
    ),
}
