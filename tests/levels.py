"""Runs the levels of tests one after the other and says in one plain line what passed.

Every level runs even if an earlier one failed, so that one run shows all there is to mend. Exit status 1 if any failed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

RESULTS = Path("build/results")
SLOWEST = 10
"""Tests of each level that are named with their times."""


@dataclass(frozen=True)
class Level:
    """What became of one level; `broken` if it did not run to its end."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    broken: bool = False
    seconds: float = 0.0
    slowest: tuple[tuple[str, float], ...] = ()
    """Names of those that took longest, and their seconds, fixtures included."""

    def __str__(self) -> str:
        counts = f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"
        return f"{self.name:12} {'BROKEN' if self.broken else counts} in {self.seconds:.0f} s"


def run(name: str) -> Level:
    """Run one level by its make target and read its results."""
    for report in _reports(name):
        report.unlink()
    started = time.monotonic()
    done = subprocess.run(["make", "--no-print-directory", name], check=False)
    return read(name, _reports(name), done.returncode, time.monotonic() - started)


def _reports(name: str) -> list[Path]:
    """Of the level, and of what runs beside it: `<name>.xml`, `<name>.<part>.xml`."""
    return [*RESULTS.glob(f"{name}.xml"), *RESULTS.glob(f"{name}.*.xml")]


def read(name: str, reports: list[Path], returncode: int, seconds: float) -> Level:
    """The level's counts from its JUnit reports; broken if there is none, or they disagree with the exit status."""
    if RESULTS / f"{name}.xml" not in reports:
        return Level(name, broken=True, seconds=seconds)
    suites = [suite for report in reports for suite in ElementTree.parse(report).getroot().iter("testsuite")]
    count = {key: sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    passed = count["tests"] - failed - count["skipped"]
    broken = (returncode != 0) != (failed > 0) or passed <= 0
    return Level(name, passed, failed, count["skipped"], broken, seconds, slowest(suites))


def slowest(suites: Iterable[ElementTree.Element]) -> tuple[tuple[str, float], ...]:
    """The slowest tests of JUnit reports, the slowest first."""
    times = [(str(case.get("name")), float(case.get("time", 0))) for suite in suites for case in suite.iter("testcase")]
    return tuple(sorted(times, key=lambda one: one[1], reverse=True)[:SLOWEST])


def main(names: list[str]) -> int:
    """Run the named levels; 0 if all passed."""
    levels = [run(name) for name in names]
    for level in levels:
        print(f"\nslowest of {level.name}:")
        for test, seconds in level.slowest:
            print(f"{seconds:7.1f} s  {test}")
    print()
    for level in levels:
        print(level)
    failed = sum(level.failed + level.broken for level in levels)
    skipped = sum(level.skipped for level in levels)
    tail = f", {skipped} skipped" if skipped else ""
    print(f"{sum(level.passed for level in levels)} passed, {failed} failed{tail}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
