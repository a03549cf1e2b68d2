"""Staging one generation: claim, survey, copy, report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ccf_operator.ccf.ledger_files import LedgerFile, Lineage, read_lineage
from ccf_operator.stage import generations
from ccf_operator.stage.doubts import doubts
from ccf_operator.stage.durable import create_file
from ccf_operator.stage.generations import Claimed, Missing, Outdated
from ccf_operator.stage.plan import StagePlan
from ccf_operator.stage.reading import Reading
from ccf_operator.stage.report import Outcome, Report
from ccf_operator.stage.writers import StillWritten, look, refuse_what_lives

if TYPE_CHECKING:
    from ccf_operator.ccf.survey import Survey

_WHY_LIMIT, _NAMED = 160, 4
"""Of a writer that was found no more is told than has room in a node's record."""

Say = Callable[..., None]
"""Called with an event's name and its facts."""


def stage(volume: Path, plan: StagePlan, say: Say, reading: Reading | None = None) -> Report:
    """Stage the plan's generation. What goes wrong is in the report; the claim stays.

    `reading` is kept up to how far the ledgers have been read.
    """
    reading = reading or Reading()
    try:
        generations.refuse_what_is_outdated(volume, plan)
        directory = generations.claim(volume, plan)
        say("claimed", generation=plan.generation, node=plan.node, command=plan.command)
        report = _recover(volume, plan, directory, say, reading) if plan.recovers else _empty(plan, directory)
    except Outdated as outdated:
        return Report(Outcome.OUTDATED, plan.generation, error=str(outdated), claims=tuple(outdated.claims))
    except Claimed as claimed:
        return Report(Outcome.CLAIMED, plan.generation, error=str(claimed))
    except StillWritten as written:
        return Report(Outcome.WRITTEN, plan.generation, error=str(written)[:_WHY_LIMIT], alive=written.alive[:_NAMED])
    except Missing as missing:
        return Report(Outcome.MISSING, plan.generation, error=str(missing))
    except OSError as error:
        return Report(Outcome.FAILED, plan.generation, error=f"{type(error).__name__}: {error}")
    return report


def _empty(plan: StagePlan, directory: Path) -> Report:
    generations.prepare(directory)
    return Report(Outcome.STAGED, plan.generation)


def _recover(volume: Path, plan: StagePlan, directory: Path, say: Say, reading: Reading) -> Report:
    ledgers = generations.lineage_ledgers(volume, plan)
    first = look(volume, plan)
    generations.prepare(directory)
    lineage = read_lineage(ledgers)
    if lineage.empty:
        return Report(Outcome.EMPTY, plan.generation, error=f"no ledger in generations {list(plan.lineage)}")
    found = survey_with_progress(lineage, say, reading).to_json()
    found["problems"] = [*found["problems"], *generations.foreign_generations(volume, plan)]
    if in_doubt := doubts(volume, plan, lambda other: survey_with_progress(other, say, reading)):
        found["doubts"] = [doubt.why for doubt in in_doubt]
        found["openedLater"] = sorted({doubt.opened for doubt in in_doubt if doubt.opened is not None})
    copied = generations.copy_tail(lineage, directory)
    refuse_what_lives(volume, plan, first)
    report = Report(Outcome.STAGED, plan.generation, survey=found, copied=tuple(copied))
    create_file(directory / generations.SURVEY, json.dumps(report.to_json(), indent=1).encode())
    return report


def survey_with_progress(lineage: Lineage, say: Say, reading: Reading) -> Survey:
    """Survey a lineage, saying what is being read, and keeping `reading` up."""
    # Imported where it is needed: it takes twice as long as all else, and a node that joins waits for it.
    from ccf_operator.ccf.survey import survey_lineage

    files = [*lineage.committed, *lineage.tail]
    reading.expect(sum(file.path.stat().st_size for file in files))

    def progress(file: LedgerFile, offset: int) -> None:
        if offset == 0:
            reading.enter(file.path.name)
            say("surveying", file=file.path.name, done=reading.done, total=reading.total)
        reading.reach(offset)

    return survey_lineage(lineage, progress)
