"""What `stage` says at its end: one JSON object, at most 3 KiB as the container's termination message.

Of a longer message the kubelet keeps only the end, which would be no JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

VERSION = 1
LIMIT = 3 * 1024


class Outcome(StrEnum):
    """What became of the generation."""

    STAGED = "Staged"
    CLAIMED = "Claimed"
    MISSING = "Missing"
    EMPTY = "Empty"
    OUTDATED = "Outdated"
    WRITTEN = "Written"
    BAD_PLAN = "BadPlan"
    FAILED = "Failed"


class ExitCode(IntEnum):
    """How `stage` ends."""

    STAGED = 0
    FAILED = 1
    BAD_PLAN = 2
    CLAIMED = 3
    MISSING = 4
    EMPTY = 5
    OUTDATED = 6
    WRITTEN = 7


@dataclass(frozen=True)
class Report:
    """`survey` is that of ccf.survey, in its JSON form; None if there was none. `error` says why, if not Staged.

    `claims`, where the plan is out of date: the generations that others have claimed, newest first, each with its
    `generation`, and as its manifest says its `node`, `command` and `recoveryCount` (None where it does not read).
    """

    outcome: Outcome
    generation: int | None = None
    survey: dict[str, Any] | None = None
    error: str | None = None
    copied: tuple[str, ...] = ()
    claims: tuple[dict[str, Any], ...] = ()
    alive: tuple[str, ...] = ()
    """Names of the nodes that still write, where that is why the volume was not read, as far as they are known."""

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that goes with the outcome."""
        return ExitCode[self.outcome.name]

    def to_json(self) -> dict[str, Any]:
        """The whole report."""
        report: dict[str, Any] = {"version": VERSION, "generation": self.generation, "outcome": self.outcome.value}
        if self.error is not None:
            report["error"] = self.error
        if self.claims:
            report["claims"] = list(self.claims)
        if self.alive:
            report["alive"] = list(self.alive)
        if self.copied:
            report["copied"] = list(self.copied)
        return {**report, "survey": self.survey}


def termination_message(report: Report) -> str:
    """The report in at most LIMIT bytes of JSON, marked `truncated` where something was left out.

    What decisions need least goes first: names of copied files, long sentences, then problems and the oldest
    configurations one by one.
    """
    whole = report.to_json()
    if _fits(whole):
        return _dump(whole)
    short = {**whole, "truncated": True}
    short.pop("copied", None)
    if "error" in short:
        short["error"] = short["error"][:300]
    while not _fits(short) and len(short.get("claims", ())) > 1:
        short["claims"] = short["claims"][:-1]
    survey = short["survey"]
    if survey is not None:
        survey = short["survey"] = {**survey, "problems": [problem[:120] for problem in survey["problems"]]}
        if "doubts" in survey:
            survey["doubts"] = [doubt[:120] for doubt in survey["doubts"][:4]]
        while not _fits(short) and len(survey["problems"]) > 1:
            survey["problems"] = survey["problems"][:-1]
        while not _fits(short) and survey["configurations"]:
            survey["configurations"] = survey["configurations"][1:]
            survey["configurationSeqnos"] = survey["configurationSeqnos"][1:]
    while not _fits(short) and short.get("error"):
        short["error"] = short["error"][: len(short["error"]) // 2]
    return _dump(short)


def _fits(report: dict[str, Any]) -> bool:
    return len(_dump(report).encode()) <= LIMIT


def _dump(report: dict[str, Any]) -> str:
    return json.dumps(report, separators=(",", ":"))
