"""Showing a member what would be signed, asking, signing, sending."""

from __future__ import annotations

import sys
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.ccf.governance import Member
from ccf_operator.ccf.messages import Message, Request
from ccf_operator.cli.desk import Desk
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.output import checks, facts, marked, say, titled
from ccf_operator.cli.service import Finding
from ccf_operator.cli.signing import Business, Done, follow_up, outcome
from ccf_operator.cli.words import grouped
from ccf_operator.domain.txid import recovered_tx_id


def show_service(out: Console, desk: Desk) -> None:
    """The service at the other end: identities to compare, and what was checked. Raises Failure (UNSAFE)."""
    rows: list[tuple[str, Any]] = [("network", f"{desk.network.name}  in namespace {desk.network.namespace}")]
    answers = desk.live[desk.node]
    if answers.network is not None:
        rows.append(("service key", grouped(answers.network.service_key)))
    if desk.expected.recovered_from is not None:
        rows.append(("recovers", grouped(answers.previous_identity_key or "no service at all")))
    attempt = desk.network.status.attempt
    if attempt is not None and attempt.winner is not None:
        rows.append(("recovered up to", _recovered_up_to(answers)))
        rows.append(("operator chose", f"TxID {attempt.winner.tx_id}, in recovery attempt {attempt.number}"))
        if attempt.base_high_water_mark:
            rows.append(("committed before", f"TxID {attempt.base_high_water_mark}, as far as the operator saw"))
    say(out, titled("What is offered", facts(rows)), checks(desk.checks))
    desk.insist()


def _recovered_up_to(answers: NodeAnswers) -> str:
    created = answers.network.create_tx_id if answers.network is not None else None
    try:
        return f"TxID {recovered_tx_id(created)}" if created is not None else "it does not say"
    except ValueError:
        return f"nothing: a service created at {created} was not recovered"


def show_in_short(out: Console, desk: Desk) -> None:
    """One line where all is well with a service that is open. Raises Failure (UNSAFE), having shown what was checked,
    where it is not."""
    status = desk.network.status
    waits = status.attempt is not None or status.service.opened_at is None
    if waits or desk.bad or any(one.finding is Finding.DOUBT for one in desk.checks):
        show_service(out, desk)
    else:
        out.print(Text.assemble(("✓ ", "good"), f"{desk.node} belongs to the service that the operator offers"))
        out.print()


def show_business(out: Console, business: Business, member: str) -> None:
    """What would be signed, in words."""
    lines = [marked("-", line) for line in business.lines]
    say(out, titled(business.title, *lines, Text(f"signed by member {member[:8]}…", style="dim")))


def confirm(question: str, otherwise: str, *, assured: bool) -> None:
    """Ask the person at the terminal, unless assured beforehand. `otherwise`: what a no comes to.

    Raises Failure (DECLINED)."""
    if assured:
        return
    if not sys.stdin.isatty():
        raise Failure(
            Exit.DECLINED,
            "nobody can be asked: the standard input is not a terminal",
            "look at what is shown above, then give the command again with --yes",
        )
    if not typer.confirm(question, default=False, err=True):
        raise Failure(Exit.DECLINED, otherwise, "give the command again when you have made up your mind")


async def carry_out(out: Console, desk: Desk, member: Member, business: Business) -> list[Done]:
    """Sign and send, and what follows from it. Raises Failure."""
    first = await deliver(out, desk, business.request, member.sign(business.request))
    second = follow_up(business.then, member.member_id, first.answer.body, desk.now())
    return [first] if second is None else [first, await deliver(out, desk, second, member.sign(second))]


async def deliver(out: Console, desk: Desk, request: Request, message: Message) -> Done:
    """Send a signed message and say what became of it. What it wrote is committed then, unless it began the recovery
    of the private ledger, which suspends commits (CCF facts §8.2). Raises Failure."""
    answer = await (desk.send(message) if request.type == "recovery_share" else desk.post(message))
    out.print(Text.assemble(("✓ ", "good"), outcome(request, answer.body)), soft_wrap=True)
    return Done(request, answer)
