"""What the runs came to: medians and ratios, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from e2e.bench.moments import Moment

TARGET_RATIO = 1.0
"""Operator to script, from loss to open: below."""
TARGET_REACTION = 0.3
"""Seconds from the event that completes the proof to the first candidate's creation: below."""


class Who(StrEnum):
    """Who recovered the network."""

    OPERATOR = "operator"
    SCRIPT = "script"


@dataclass(frozen=True)
class Run:
    """One recovery; times in seconds after the last process was killed."""

    who: Who
    took: Mapping[Moment, float]

    @property
    def reaction(self) -> float | None:
        """Seconds from the proof to the first candidate."""
        if Moment.PROOF not in self.took or Moment.FIRST_CANDIDATE not in self.took:
            return None
        return self.took[Moment.FIRST_CANDIDATE] - self.took[Moment.PROOF]


@dataclass(frozen=True)
class Line:
    """One step: medians in seconds, and operator to script; None where nobody showed it."""

    moment: Moment
    operator: float | None
    script: float | None

    @property
    def ratio(self) -> float | None:
        return self.operator / self.script if self.operator is not None and self.script else None


def lines(runs: Sequence[Run]) -> list[Line]:
    """One line for each moment."""
    return [Line(m, _median(runs, Who.OPERATOR, m), _median(runs, Who.SCRIPT, m)) for m in Moment]


def reactions(runs: Sequence[Run]) -> list[float]:
    """The operator's reactions, the fastest first."""
    return sorted(run.reaction for run in runs if run.who is Who.OPERATOR and run.reaction is not None)


def table(runs: Sequence[Run]) -> str:
    """The result for people."""
    count = {who: sum(run.who is who for run in runs) for who in Who}
    said = [
        f"medians of {count[Who.OPERATOR]} recoveries by the operator and {count[Who.SCRIPT]} by the script; "
        "seconds after the last process of the majority was killed",
        f"{'':26}{'operator':>10}{'script':>10}{'ratio':>8}",
    ]
    found = lines(runs)
    said += [
        f"{line.moment:26}{_text(line.operator):>10}{_text(line.script):>10}{_text(line.ratio):>8}" for line in found
    ]
    last = next(line for line in found if line.moment is Moment.OPEN)
    said.append(f"loss to open, operator to script: {_text(last.ratio)} (target: below {TARGET_RATIO:g})")
    took = reactions(runs)
    if took:
        said.append(
            f"proof shown to first candidate created: median {median(took):.2f} s, longest {took[-1]:.2f} s "
            f"(target: below {TARGET_REACTION:g} s)"
        )
    return "\n".join(said)


def _median(runs: Sequence[Run], who: Who, moment: Moment) -> float | None:
    known = [run.took[moment] for run in runs if run.who is who and moment in run.took]
    return median(known) if known else None


def _text(number: float | None) -> str:
    return "-" if number is None else f"{number:.2f}"
