"""kubectl ccf recovery: what the operator does about a loss, and what a person decides about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.text import Text

from ccf_operator.api.decision import Action
from ccf_operator.api.status import AttemptSummary
from ccf_operator.cli import decisions, offering, recovery_plan
from ccf_operator.cli.asking import confirm
from ccf_operator.cli.attempt_view import by_whom, history_section, timeline_line
from ccf_operator.cli.decisions import Decision
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.kubectl import Kubectl, KubectlFailed, cluster_failure
from ccf_operator.cli.network import Network, load
from ccf_operator.cli.options import DecidingOptions, Format, NetworkName, Output, on_cluster
from ccf_operator.cli.output import for_people, marked, say, titled, write
from ccf_operator.cli.terminal import console
from ccf_operator.cli.words import shorten
from ccf_operator.render import labels

ANSWER_TIMEOUT = 30.0
UNANSWERED = "Unanswered"

recovery = typer.Typer(
    no_args_is_help=True,
    help="See what the operator does about a loss, and decide.\n\n"
    "Every decision is a CCFRecoveryDecision, which stays as a record; --dry-run prints it, to be applied in another "
    "way.",
)

Volume = Annotated[
    str,
    typer.Argument(metavar="VOLUME", help="Name of the PersistentVolumeClaim.", autocompletion=offering.volumes),
]
OneVolume = Annotated[
    str | None,
    typer.Option("--volume", metavar="NAME", help="One that shows which service is meant, where there are several."),
]
Number = Annotated[int | None, typer.Argument(metavar="[ATTEMPT]", help="Number of one attempt, to see more of it.")]


@recovery.command("plan")
@on_cluster
async def plan(kubectl: Kubectl, name: NetworkName, output: Output = Format.TEXT) -> None:
    """Show what the operator does now, and what you can decide.

    And why, and what may be missing. Does nothing."""
    network = await load(kubectl, name)
    made = recovery_plan.plan(network, kubectl.flags)
    if output is Format.TEXT:
        console().print(recovery_plan.render(network, made, datetime.now(UTC)), crop=False)
        return
    choices = [{"command": command, "effect": effect} for command, effect in made.choices]
    write({**asdict(made), "choices": choices} | {"possibleLoss": list(made.possible_loss)}, output)


@recovery.command("approve")
@on_cluster
async def approve(kubectl: Kubectl, name: NetworkName, deciding: DecidingOptions) -> None:
    """Recover in spite of what may be missing.

    The best ledger there is. In mode Manual, also where nothing is missing."""
    await _decide(kubectl, name, lambda network: decisions.approval(network, deciding.reason), deciding)


@recovery.command("pin")
@on_cluster
async def pin(kubectl: Kubectl, name: NetworkName, volume: Volume, deciding: DecidingOptions) -> None:
    """Have this volume's ledger chosen, if it recovers."""
    await _decide(kubectl, name, lambda n: decisions.about_volume(n, Action.PIN, volume, deciding.reason), deciding)


@recovery.command("exclude")
@on_cluster
async def exclude(kubectl: Kubectl, name: NetworkName, volume: Volume, deciding: DecidingOptions) -> None:
    """Leave a volume out of this attempt."""
    await _decide(kubectl, name, lambda n: decisions.about_volume(n, Action.EXCLUDE, volume, deciding.reason), deciding)


@recovery.command("start")
@on_cluster
async def start(kubectl: Kubectl, name: NetworkName, deciding: DecidingOptions) -> None:
    """Recover the service now, once, in any mode.

    As a drill, or where no recovery begins by itself. Where the quorum is not lost for good, all nodes are ended
    first, and the recovery begins once that is proven."""
    await _decide(kubectl, name, lambda network: decisions.starting(network, deciding.reason), deciding)


@recovery.command("abort")
@on_cluster
async def abort(kubectl: Kubectl, name: NetworkName, deciding: DecidingOptions) -> None:
    """End the attempt; no other begins before 'resume'. Survivors' ledgers stay as they are.

    A recovery that was started, and whose nodes are not being ended yet, is called off."""
    await _decide(kubectl, name, lambda network: decisions.abortion(network, deciding.reason), deciding)


@recovery.command("resume")
@on_cluster
async def resume(kubectl: Kubectl, name: NetworkName, deciding: DecidingOptions) -> None:
    """Let recovery go on after an attempt was ended."""
    await _decide(kubectl, name, lambda network: decisions.resumption(network, deciding.reason), deciding)


@recovery.command("adopt")
@on_cluster
async def adopt(kubectl: Kubectl, name: NetworkName, deciding: DecidingOptions, volume: OneVolume = None) -> None:
    """Recover an earlier network of this name from its volumes."""
    await _decide(kubectl, name, lambda network: decisions.adoption(network, volume, deciding.reason), deciding)


@recovery.command("disown")
@on_cluster
async def disown(kubectl: Kubectl, name: NetworkName, deciding: DecidingOptions) -> None:
    """Leave the volumes of an earlier network alone.

    For ever; a new service is started beside them."""
    await _decide(kubectl, name, lambda network: decisions.disowning(network, deciding.reason), deciding)


@recovery.command("history")
@on_cluster
async def history(kubectl: Kubectl, name: NetworkName, number: Number = None, output: Output = Format.TEXT) -> None:
    """List past attempts, or tell all that is kept of one."""
    network = await load(kubectl, name)
    past = [one for one in network.status.history if number in (None, one.number)]
    if number is not None and not past:
        known = ", ".join(str(one.number) for one in network.status.history) or "none"
        raise Failure(
            Exit.NOT_FOUND, f"attempt {number} is not in the history (there: {known})", "name one that is there"
        )
    if output is not Format.TEXT:
        write([json.loads(one.model_dump_json(by_alias=True, exclude_none=True)) for one in past], output)
    elif not past:
        console().print("no attempt has ended yet")
    elif number is None:
        console().print(history_section(name, past))
    else:
        say(console(), _told(past[0]))


def _told(past: AttemptSummary) -> Any:
    lines: list[Any] = [Text(f"{past.result.value}: {shorten(past.message)}"), timeline_line(past.timeline)]
    lines += [marked("-", f"{volume}: {result}") for volume, result in sorted(past.candidates.items())]
    if past.start is not None:
        lines.append(Text(f"started by {by_whom(past.start)}"))
    if past.approval is not None:
        lines.append(Text.assemble(("approved by ", "warn"), by_whom(past.approval)))
        lines += [marked("may be missing:", shorten(line), "bad") for line in past.approval.possible_loss]
    return titled(f"Attempt {past.number}", *lines)


async def _decide(kubectl: Kubectl, name: str, make: Callable[[Network], Decision], deciding: DecidingOptions) -> None:
    network = await load(kubectl, name)
    decision = make(network)
    manifest = decisions.manifest(network, decision)
    if deciding.dry_run:
        write(manifest, Format.YAML if deciding.output is Format.TEXT else deciding.output)
        return
    out = for_people(deciding.output)
    _show(out, network, decision, manifest, kubectl.flags)
    confirm("Decide this?", "nothing was decided", assured=deciding.yes)
    await _carry_out(out, kubectl.within(network.namespace), manifest, deciding.output)


def _show(out: Console, network: Network, decision: Decision, manifest: dict[str, Any], flags: Sequence[str]) -> None:
    out.print(recovery_plan.render(network, recovery_plan.plan(network, flags), datetime.now(UTC)), crop=False)
    if decision.action is Action.START:
        say(out, recovery_plan.what_a_start_does(network))
    text = yaml.safe_dump(manifest, sort_keys=False)
    say(out, titled(f"You would decide: {decision.action.value}", Text(text.rstrip())))


async def _carry_out(out: Console, kubectl: Kubectl, manifest: dict[str, Any], output: Format) -> None:
    """Write the decision, and say what the operator makes of it."""
    try:
        made = json.loads(
            await kubectl.run(
                *("create", "--filename", "-", "--output", "json", "--field-manager", "kubectl-ccf"),
                stdin=json.dumps(manifest),
            )
        )
        name = made["metadata"]["name"]
        out.print(f"written: {labels.DECISION_KIND} {name}")
        state, message = await _answer(kubectl, name)
    except KubectlFailed as error:
        raise cluster_failure(error) from error
    if output is not Format.TEXT:
        write({"decision": name, **manifest["spec"], "state": state, "message": message}, output)
    if state == UNANSWERED:
        raise Failure(
            Exit.REFUSED,
            f"{name} has not been answered: {message}",
            f"do not decide again: it holds as soon as the operator runs; kubectl get ccfrd {name} shows its state",
        )
    if state != "Applied":
        raise Failure(Exit.REFUSED, f"{state}: {message}", "look again with kubectl ccf recovery plan, and decide anew")
    out.print(Text.assemble(("✓ ", "good"), f"applied: {message}"))


async def _answer(kubectl: Kubectl, name: str) -> tuple[str, str]:
    """What the operator made of a decision."""
    deadline = asyncio.get_running_loop().time() + ANSWER_TIMEOUT
    while asyncio.get_running_loop().time() < deadline:
        found = await kubectl.get(f"{labels.DECISION_PLURAL}.{labels.GROUP}", name)
        status = (found or {}).get("status") or {}
        if status.get("state"):
            return str(status["state"]), str(status.get("message", ""))
        await asyncio.sleep(0.3)
    return UNANSWERED, f"the operator has not looked at it within {ANSWER_TIMEOUT:g} s"
