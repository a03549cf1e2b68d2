"""The transition table as people read it: a mermaid diagram and a markdown table, kept in a page between two marks."""

from __future__ import annotations

import sys
from pathlib import Path

from ccf_operator.api.status import AttemptPhase, AttemptResult
from ccf_operator.domain.transitions import TRANSITIONS

BEGIN, END = "<!-- made by `make docs` from ccf_operator/domain/transitions.py -->", "<!-- end of what was made -->"


def to_mermaid() -> str:
    """The state diagram, one arrow per step."""
    lines = ["stateDiagram-v2"]
    for step in TRANSITIONS:
        source = step.source.value if step.source is not None else "[*]"
        lines.append(f"    {source} --> {step.target.value}: {step.when}")
    lines.extend(f"    {result.value} --> [*]" for result in AttemptResult if _is_an_end(result))
    return "\n".join(lines)


def _is_an_end(result: AttemptResult) -> bool:
    return any(step.target is result for step in TRANSITIONS)


def to_table() -> str:
    """The steps in the order of the phases they leave."""
    order = [None, *AttemptPhase]
    lines = ["| from | to | when | what a person does |", "|---|---|---|---|"]
    for step in sorted(TRANSITIONS, key=lambda step: order.index(step.source)):
        source = step.source.value if step.source is not None else "–"
        lines.append(f"| {source} | {step.target.value} | {step.when} | {step.person or '–'} |")
    return "\n".join(lines)


def refresh(page: str) -> str:
    """The page with diagram and table made anew. Raises ValueError if it lacks one of the marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the two lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n```mermaid\n{to_mermaid()}\n```\n\n{to_table()}\n\n{END}{after}"


def main(files: list[str]) -> None:
    """Make diagram and table anew in these pages, or print them where none is given."""
    for file in files:
        Path(file).write_text(refresh(Path(file).read_text()))
    if not files:
        sys.stdout.write(f"{to_mermaid()}\n\n{to_table()}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
