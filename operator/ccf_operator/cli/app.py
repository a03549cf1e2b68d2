"""The commands, put together, and how they end."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import typer

from ccf_operator.cli.commands import external, identity, members, recovery, report, status
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.kubectl import KubectlFailed, cluster_failure
from ccf_operator.cli.options import CLUSTER_FLAGS
from ccf_operator.cli.terminal import complaints

PROGRAM = "kubectl-ccf"
COMPLETE_VARIABLE = "_KUBECTL_CCF_COMPLETE"
_COMPLETION = ("--install-completion", "--show-completion")

app = typer.Typer(
    name="kubectl-ccf",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="See and handle CCF networks on Kubernetes: what is, what must be done, and the members' part of it.",
)
app.command()(status.status)
app.command()(members.members)
app.command()(members.ack)
app.command("open")(members.open_)
app.command()(members.proposals)
app.command()(members.propose)
app.command()(members.vote)
app.command()(members.withdraw)
app.command()(members.trust)
app.command()(members.renew)
app.command("submit-share")(members.submit_share)
app.command("share")(members.fetch_share)
app.add_typer(external.prepare, name="prepare")
app.command()(external.finish)
app.add_typer(recovery.recovery, name="recovery")
app.command()(identity.cert)
app.command()(report.logs)
app.command()(report.report)


def run(arguments: Sequence[str]) -> int:
    """Run a command line; the exit code. Failures are explained on the error stream."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        for_shell = COMPLETE_VARIABLE in os.environ or any(a in _COMPLETION for a in arguments)
        app(
            _with_flags_last(arguments),
            prog_name=PROGRAM if for_shell else "kubectl ccf",
            complete_var=COMPLETE_VARIABLE,
        )
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else Exit.DONE
    except Failure as failure:
        return explain(failure)
    except KubectlFailed as error:
        return explain(cluster_failure(error))
    return Exit.DONE


def _with_flags_last(arguments: Sequence[str]) -> list[str]:
    """kubectl's flags for where it is may stand before the command, too."""
    left, flags = list(arguments), []
    while left and left[0].partition("=")[0] in CLUSTER_FLAGS:
        flags += left[:1] if "=" in left[0] else left[:2]
        left = left[1:] if "=" in left[0] else left[2:]
    return [*left, *flags] if left else flags


def explain(failure: Failure) -> int:
    """Say why a command could not go on and what to do; its exit code."""
    out = complaints()
    whole = not out.is_terminal
    out.print(f"error: {failure.why}", style="bad", soft_wrap=whole)
    out.print(f"what to do: {failure.do}", soft_wrap=whole)
    return int(failure.code)
