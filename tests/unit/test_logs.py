"""Logs: one JSON object a line, whoever speaks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

OPERATOR = Path(__file__).parents[2] / "operator"


def logged(code: str, form: str = "json", level: str = "info") -> str:
    """Standard error of a process that logs."""
    program = f"from ccf_operator import logs; logs.configure({level!r}, {form!r})\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(OPERATOR)}, text=True, capture_output=True, check=True
    )
    assert done.stdout == ""
    return done.stderr


def lines(code: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logged(code).splitlines()]


def test_ours_and_a_librarys_lines_are_alike() -> None:
    ours, theirs = lines(
        "import logging\n"
        "logs.get('ours').info('said', node='n', attempt=3)\n"
        "logging.getLogger('theirs').warning('heard %s', 'it')"
    )

    assert (ours["event"], ours["logger"], ours["level"], ours["node"], ours["attempt"]) == (
        "said",
        "ours",
        "info",
        "n",
        3,
    )
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("heard it", "theirs", "warning")
    assert "timestamp" in ours
    assert "timestamp" in theirs


def test_every_line_says_what_it_is_about_or_that_it_is_about_nothing() -> None:
    ours, theirs = lines(
        "import logging, structlog\n"
        "structlog.contextvars.bind_contextvars(namespace='prod', network='bank', attempt=3)\n"
        "logs.get('ours').info('said', node='n')\n"
        "structlog.contextvars.clear_contextvars()\n"
        "logging.getLogger('theirs').warning('heard')"
    )

    subject = ("namespace", "network", "attempt", "node")
    assert [ours[key] for key in subject] == ["prod", "bank", 3, "n"]
    assert [theirs[key] for key in subject] == [None] * 4


def test_a_traceback_stays_on_its_line() -> None:
    [line] = lines("try:\n    1/0\nexcept ZeroDivisionError:\n    logs.get('ours').exception('failed')")

    assert line["event"] == "failed"
    assert "ZeroDivisionError" in line["exception"]


def test_less_than_the_level_is_not_heard() -> None:
    assert logged("logs.get('ours').debug('whisper')") == ""
    assert "whisper" in logged("logs.get('ours').debug('whisper')", level="debug")


def test_people_get_text() -> None:
    assert "said" in logged("logs.get('ours').info('said')", form="console")


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_shows_where_it_came_from_and_nothing_that_was_at_hand_there(form: str) -> None:
    said = logged(
        "def read(secret):\n"
        "    raise RuntimeError('boom')\n"
        "try:\n"
        "    read(''.join(['key', 'material']))\n"
        "except RuntimeError:\n"
        "    logs.get('x').exception('the look failed')",
        form,
    )

    assert "in read" in said
    assert "boom" in said
    assert "keymaterial" not in said
