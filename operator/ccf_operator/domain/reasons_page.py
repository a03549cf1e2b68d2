"""Writes the reference page of phases, conditions and reasons, from the tables.

Run: python -m ccf_operator.domain.reasons_page docs/reference/conditions.md
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from ccf_operator.api.status import Phase
from ccf_operator.domain.conditions import CONDITIONS
from ccf_operator.domain.obstacle_advice import ADVICE
from ccf_operator.domain.reasons import MEANINGS, MEMBER_MEANINGS, Health

_INTRODUCTION = """\
# Phases, conditions, reasons

Generated from the code; `make docs` writes it anew.

`status.phase` says where a network is, `status.reason` why, `status.message` the same in a sentence, and
`status.nextStep` what a person must do, with the command. `status.conditions` say it for programs. Reasons are part of
the API: they are never renamed, and alerts may rest on them.

How tools judge each reason is the last column; [the page on GitOps](../how-to/gitops.md) says how they are set up.

| word | kstatus (Flux) | Argo CD | conditions |
|---|---|---|---|
| serves | Current | Healthy | Ready |
| works | InProgress | Progressing | Reconciling, Progressing |
| members | InProgress | Suspended | Reconciling, GovernanceRequired |
| person | Failed | Degraded | Stalled |

Whatever the reason, as long as the members are asked for something the word is *members*, unless it is *person*. Before
the operator has looked at an object, or at its latest generation, `status.observedGeneration` differs from
`metadata.generation`: in progress. An object that is being
deleted is Terminating to kstatus and Progressing to Argo CD.
"""

_PHASES = {
    Phase.CREATING: "Nodes are starting, or the spec names something that is not there.",
    Phase.AWAITING_OPEN: "The service runs and has never been open.",
    Phase.RUNNING: "The service is open.",
    Phase.DEGRADED: "Nodes have ended or are silent, and no loss of the quorum is proven.",
    Phase.RECOVERING: "The loss of the quorum is proven; candidates recover, nodes join the winner.",
    Phase.AWAITING_MEMBERS: "The service is recovered; the members accept it and submit shares. Nothing times out.",
    Phase.BLOCKED: "The operator cannot go on by itself.",
    Phase.DELETING: "The nodes end; the volumes stay.",
}


def page() -> str:
    """The page, Markdown."""
    return f"{_INTRODUCTION}\n{''.join(_phases())}{''.join(_conditions())}{''.join(_member())}{''.join(_obstacles())}"


def _phases() -> Iterator[str]:
    for phase in Phase:
        yield f"## Phase {phase.value}\n\n{_PHASES[phase]}\n\n"
        yield "| reason | what it means | what to do | judged |\n|---|---|---|---|\n"
        for meaning in MEANINGS:
            if phase in meaning.phases:
                todo = meaning.do or ("–" if meaning.health is Health.SERVES else "see `nextStep`")
                yield f"| `{meaning.reason.value}` | {meaning.means} | {todo} | {meaning.health.value} |\n"
        yield "\n"


def _conditions() -> Iterator[str]:
    yield "## Conditions\n\nEach has `observedGeneration` and a reason.\n\n"
    yield "| condition | True when | reasons |\n|---|---|---|\n"
    for condition in CONDITIONS:
        yield f"| `{condition.type.value}` | {condition.true_when} | {condition.reasons} |\n"


def _member() -> Iterator[str]:
    yield "\n## OperatorMemberUsable\n\nWhat its reasons mean; more in [governance.md](../how-to/governance.md).\n\n"
    yield "| reason | what it means | what to do |\n|---|---|---|\n"
    for meaning in MEMBER_MEANINGS:
        yield f"| `{meaning.reason.value}` | {meaning.means} | {meaning.do or '–'} |\n"


def _obstacles() -> Iterator[str]:
    yield (
        "\n## Obstacles\n\nWhat the cluster says is in the way stands in `status.obstacles`, in its own words, with "
        "the time since when. `message` and `nextStep` have the first, `status.attempt` and its candidates those that "
        "keep them. Each goes away when it has healed. Words of the cluster that are not listed here are told as they "
        "are.\n\n"
    )
    yield "| source | reason | what it means | what to do |\n|---|---|---|---|\n"
    for one in ADVICE:
        yield f"| {one.source.value} | `{one.reason}` | {one.means} | {_with_capitals(one.do)} |\n"


def _with_capitals(text: str) -> str:
    """What stands for a name, as the other pages write it."""
    return re.sub(r" ?\{(\w+)\}", lambda found: f" {found[1].upper()}", text)


def main(files: list[str]) -> None:
    """Write the page to these files, or print it where none is given."""
    for file in files:
        Path(file).write_text(page())
    if not files:
        sys.stdout.write(page())


if __name__ == "__main__":
    main(sys.argv[1:])
