"""The plan that `stage` is given: one JSON file, made by the operator."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
VERSION = 1
_COMMANDS = ("Start", "Join", "Recover")


class BadPlan(ValueError):
    """The plan cannot be followed; says why."""


@dataclass(frozen=True)
class Former:
    """A node of the service being recovered whose end no kubelet has reported: where it was last, and its CCF id."""

    node: str
    node_id: str
    address: str
    port: int


@dataclass(frozen=True)
class StagePlan:
    """Which generation to claim, for whom, and from which generations to recover.

    `lineage`: generations of the old ledger, oldest first; only with `Recover`. `doubtful`: generations that failed
    attempts wrote, which may hold a service that was opened unseen; `recovery_count` is that of the service being
    recovered. `former`: nodes that may write still. `recorded` is the whole plan, kept in the manifest: it is what
    remains when the network's object is gone.
    """

    network_uid: str
    volume: str
    node: str
    generation: int
    command: str
    lineage: tuple[int, ...]
    recorded: dict[str, Any]
    doubtful: tuple[int, ...] = ()
    recovery_count: int = 0
    former: tuple[Former, ...] = ()

    @property
    def recovers(self) -> bool:
        """Whether the node is a candidate."""
        return self.command == "Recover"


def parse_plan(text: str) -> StagePlan:
    """Raises BadPlan."""
    try:
        plan = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadPlan(f"not JSON: {error}") from error
    if not isinstance(plan, dict):
        raise BadPlan("not a JSON object")
    if plan.get("version") != VERSION:
        raise BadPlan(f"version {plan.get('version')!r}, this is version {VERSION}")
    command = _need(plan, "command", str)
    if command not in _COMMANDS:
        raise BadPlan(f"command {command!r} is none of {', '.join(_COMMANDS)}")
    generation = _number(plan.get("generation"), "generation")
    lineage = tuple(_number(it, "lineage") for it in _need(plan, "lineage", list))
    if command == "Recover" and not lineage:
        raise BadPlan("Recover without a lineage")
    if command != "Recover" and lineage:
        raise BadPlan(f"{command} with a lineage")
    if list(lineage) != sorted({*lineage}) or any(old >= generation for old in lineage):
        raise BadPlan(f"lineage {list(lineage)} is not ascending and below generation {generation}")
    doubtful = tuple(_number(it, "doubtful") for it in plan.get("doubtful") or ())
    if any(it >= generation or it in lineage for it in doubtful):
        raise BadPlan(f"doubtful {list(doubtful)} is not below generation {generation} and beside the lineage")
    return StagePlan(
        network_uid=_need(_need(plan, "network", dict), "uid", str),
        volume=_need(plan, "volume", str),
        node=_need(plan, "node", str),
        generation=generation,
        command=command,
        lineage=lineage,
        recorded=plan,
        doubtful=doubtful,
        recovery_count=_number(plan.get("recoveryCount") or 0, "recoveryCount"),
        former=tuple(_former(it) for it in plan.get("former") or ()),
    )


def _former(found: object) -> Former:
    if not isinstance(found, dict):
        raise BadPlan(f"'former' should name nodes, has {found!r}")
    return Former(
        node=_need(found, "node", str),
        node_id=_need(found, "nodeId", str),
        address=_need(found, "address", str),
        port=_number(found.get("port"), "port"),
    )


def _need(plan: dict[str, Any], key: str, kind: type[T]) -> T:
    value = plan.get(key)
    if not isinstance(value, kind):
        raise BadPlan(f"{key!r} should be {kind.__name__}, is {value!r}")
    return value


def _number(value: object, key: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadPlan(f"{key!r} should be a generation number, is {value!r}")
    return value
