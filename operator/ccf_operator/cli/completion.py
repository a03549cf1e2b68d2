"""Completion of `kubectl ccf …` by kubectl's own: it runs `kubectl_complete-ccf` with the words so far."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
from collections.abc import Sequence

from ccf_operator.cli.app import COMPLETE_VARIABLE, PROGRAM, app

_NO_FILES, _DEFAULT = 4, 0
"""Directives to kubectl's shell completion (Cobra's): offer no files, or do what the shell does by itself."""


def suggestions(words: Sequence[str]) -> list[str]:
    """What the last of the words after `kubectl ccf`, perhaps empty, can be completed to."""
    os.environ[COMPLETE_VARIABLE] = "complete_bash"
    os.environ["COMP_WORDS"] = shlex.join([PROGRAM, *words[:-1]]) + f" {words[-1] if words else ''}"
    os.environ["COMP_CWORD"] = str(max(len(words), 1))
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        app([], prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE)
    return [line for line in said.getvalue().splitlines() if line]


def answer(words: Sequence[str]) -> str:
    """The same as kubectl reads it: one a line, and a directive at the end."""
    found = suggestions(words)
    return "\n".join([*found, f":{_NO_FILES if found else _DEFAULT}"])
