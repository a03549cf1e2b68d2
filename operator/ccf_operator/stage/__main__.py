"""`python -m ccf_operator.stage --plan FILE --volume DIR`, `… explore --volume DIR`, or `… survey DIR…` for people.

`explore` says what a volume shows by itself, for a network whose object or status is gone, and changes nothing.

`survey` takes the ledger directories of one lineage, oldest first, prints what they hold, and changes nothing.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from ccf_operator.ccf.ledger_files import read_lineage
from ccf_operator.stage.plan import BadPlan, parse_plan
from ccf_operator.stage.reading import Reading
from ccf_operator.stage.report import ExitCode, Outcome, Report, termination_message
from ccf_operator.stage.staging import stage, survey_with_progress

TERMINATION_LOG = Path("/dev/termination-log")


def main(arguments: Sequence[str]) -> int:
    """Run one of the three forms; returns the exit code (a survey: 1 if the ledger is not sound)."""
    if arguments[:1] == ["survey"]:
        return _survey(arguments[1:])
    if arguments[:1] == ["explore"]:
        return _explore(arguments[1:])
    parser = argparse.ArgumentParser(prog="python -m ccf_operator.stage", description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="the plan, JSON")
    parser.add_argument("--volume", type=Path, required=True, help="root of the volume")
    parser.add_argument("--termination-log", type=Path, default=TERMINATION_LOG, help="where to write the report")
    parser.add_argument("--progress", metavar="HOST:PORT", help="where to tell how far the reading has come")
    options = parser.parse_args(arguments)
    try:
        plan = parse_plan(options.plan.read_text())
    except (BadPlan, OSError, UnicodeDecodeError) as error:
        report = Report(Outcome.BAD_PLAN, error=f"{options.plan}: {error}")
    else:
        with _told(reading := Reading(), options.progress if plan.recovers else None):
            report = stage(options.volume, plan, _say, reading)
    _say("ended", **report.to_json())
    try:
        options.termination_log.write_text(termination_message(report))
    except OSError as error:
        _say("no-termination-message", error=str(error))
    return report.exit_code


def _explore(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m ccf_operator.stage explore", description=__doc__)
    parser.add_argument("--volume", type=Path, required=True, help="root of the volume")
    parser.add_argument("--termination-log", type=Path, default=TERMINATION_LOG, help="where to write what was found")
    parser.add_argument("--progress", metavar="HOST:PORT", help="where to tell how far the reading has come")
    options = parser.parse_args(arguments)
    from ccf_operator.stage.exploration import explore  # what reads ledgers is long to import; joiners do without

    try:
        with _told(reading := Reading(), options.progress):
            found = explore(options.volume, _say, reading)
    except OSError as error:
        _say("failed", error=str(error))
        return ExitCode.FAILED
    _say("explored", **found)
    shortened = {**found, "problems": [problem[:120] for problem in found["problems"][:4]]}
    options.termination_log.write_text(json.dumps(shortened, separators=(",", ":")))
    return ExitCode.STAGED


def _survey(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m ccf_operator.stage survey", description=__doc__)
    parser.add_argument("ledgers", type=Path, nargs="+", help="ledger directories of one lineage, oldest first")
    options = parser.parse_args(arguments)
    try:
        found = survey_with_progress(read_lineage(options.ledgers), lambda *_event, **_facts: None, Reading())
    except OSError as error:
        print(error, file=sys.stderr)
        return ExitCode.FAILED
    print(json.dumps(found.to_json(), indent=2))
    return ExitCode.STAGED if found.sound else ExitCode.FAILED


def _told(reading: Reading, address: str | None) -> AbstractContextManager[None]:
    """Tell a reading at an address, while the context lasts; nowhere if there is none."""
    if address is None:
        return nullcontext()
    from ccf_operator.stage.progress import told  # joiners, which read nothing, do without

    return told(reading, address)


def _say(event: str, **facts: object) -> None:
    print(
        json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts}), flush=True
    )


def _end_when_told() -> None:
    """Process 1 of a container ignores SIGTERM unless it handles it: a long survey would outlast its pod's deletion."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))


if __name__ == "__main__":
    _end_when_told()
    sys.exit(main(sys.argv[1:]))
