"""The operator's recovery: watched, and helped by nothing but what members do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ccf_operator.api.status import Command, Phase
from e2e.bench.moments import Moment, first_status, statuses
from e2e.bench.recorder import Seen
from e2e.bench.scene import PATIENCE, Marks, Scene

Status = Mapping[str, Any]


def recover(scene: Scene) -> tuple[str, Marks]:
    """Wait until the members are asked, and do their part; the winner, and when each step was done."""
    asked = scene.recorder.wait_for("the members are asked", _members_are_asked, within=PATIENCE)
    winner = asked["attempt"]["winner"]
    nodes = [winner["node"], *_joined(asked)]
    marks = scene.let_members_open(winner["node"], winner["serviceCertificate"], nodes)
    checks: dict[Moment, Callable[[Status], object]] = {
        Moment.RECOVERED: lambda status: _attempt(status).get("timeline", {}).get("recoveredAt"),
        Moment.JOINED: lambda status: len(_joined(status)) >= scene.network.nodes - 1,
    }
    seen = {moment: first_status(scene.recorder.events, check) for moment, check in checks.items()}
    return winner["node"], {**marks, **{moment: at for moment, at in seen.items() if at is not None}}


def _members_are_asked(events: Sequence[Seen]) -> Status | None:
    return next((s for _, s in statuses(events[-1:]) if s.get("phase") == Phase.AWAITING_MEMBERS.value), None)


def _attempt(status: Status) -> Mapping[str, Any]:
    return status.get("attempt") or {}


def _joined(status: Status) -> list[str]:
    """Joiners of the attempt that have caught up."""
    number = _attempt(status).get("number")
    return [
        record["name"]
        for record in status.get("nodes") or []
        if record["command"] == Command.JOIN.value
        and number is not None
        and record.get("attempt") == number
        and record.get("joinedAt")
    ]
