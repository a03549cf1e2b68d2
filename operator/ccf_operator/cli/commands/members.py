"""The members' commands: each shows what it would sign, asks, signs with a key file, and sends."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ccf_operator.cli import acts, asking, business, governance_view, roster
from ccf_operator.cli.desk import Desk, desk
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.identity import load_certificate, load_member, read
from ccf_operator.cli.kubectl import Kubectl
from ccf_operator.cli.options import (
    Certificate,
    DecryptedShare,
    EncryptionKey,
    Format,
    NetworkName,
    Out,
    Output,
    ServiceOptions,
    SigningOptions,
    on_cluster,
)
from ccf_operator.cli.output import Rows, for_people, say, titled, write
from ccf_operator.cli.prepared import write_new
from ccf_operator.cli.service import Knowledge
from ccf_operator.cli.share_report import report_share
from ccf_operator.cli.signing import document
from ccf_operator.cli.terminal import console
from ccf_operator.domain.txid import TxID

Show = Callable[[Console, Desk], None]

ProposalId = Annotated[str, typer.Argument(metavar="PROPOSAL", help="Its id, or the beginning of it.")]
Choice = Annotated[
    str, typer.Argument(metavar="yes|no|FILE", help="Your vote, or a JavaScript file that exports vote().")
]
ProposalFile = Annotated[
    Path, typer.Argument(metavar="FILE", help='JSON: {"actions": [{"name": ..., "args": {...}}]}.')
]
Days = Annotated[int | None, typer.Option("--days", min=1, help="How long (default: as long as the service allows).")]
All = Annotated[bool, typer.Option("--all", "-a", help="Also those that are decided.")]


@on_cluster
async def members(kubectl: Kubectl, name: NetworkName, service: ServiceOptions, output: Output = Format.TEXT) -> None:
    """List the consortium's members, as the service knows them."""
    async with desk_of(kubectl, name, service) as at:
        at.insist()
        listed = await roster.members(kubectl, at)
        threshold = (await at.get("/gov/service/info")).get("configuration", {}).get("recoveryThreshold")
    if output is not Format.TEXT:
        write([one.document() for one in listed], output)
        return
    rows = Rows("member", "id", "status", "recovery")
    for one in listed:
        rows.add(one.name, f"{one.member_id[:8]}…", one.status, one.recovery)
    active = sum(one.status == "Active" for one in listed)
    note = governance_view.count_active(active, len(listed), threshold)
    say(console(), titled("Members", rows, Text(note, style="dim")))


@on_cluster
async def ack(kubectl: Kubectl, name: NetworkName, signing: SigningOptions, service: ServiceOptions) -> None:
    """Acknowledge the service's state: it makes a member active."""
    await _sign(kubectl, name, acts.build_ack, asking.show_service, signing, service)


@on_cluster
async def open_(kubectl: Kubectl, name: NetworkName, signing: SigningOptions, service: ServiceOptions) -> None:
    """Accept the service that is offered, new or recovered.

    Shows what is offered and checks it: the node's key, the service's key, the service it goes on from, its TxID and
    its nodes. Proposes the opening, or votes for it where another member has proposed the same; members give the
    command one after the other until it is open."""
    await _sign(kubectl, name, business.open_service, asking.show_service, signing, service)


@on_cluster
async def proposals(
    kubectl: Kubectl, name: NetworkName, service: ServiceOptions, every: All = False, output: Output = Format.TEXT
) -> None:
    """List open proposals: what each would do, and who voted."""
    async with desk_of(kubectl, name, service) as at:
        at.insist()
        seen = await governance_view.look(kubectl, at, *([] if every else ["Open"]))
    if output is not Format.TEXT:
        write([one.document(seen.people) for one in seen.ballots], output)
        return
    out = console()
    if not seen.ballots:
        out.print("no proposal is open" if not every else "no proposals")
    for one in seen.ballots:
        say(out, governance_view.proposal_section(one, seen.people, business.names(at), at.expected))


@on_cluster
async def propose(
    kubectl: Kubectl, name: NetworkName, file: ProposalFile, signing: SigningOptions, service: ServiceOptions
) -> None:
    """Propose what a file says, and vote for it."""
    build = acts.build_proposal(file)
    await _sign(kubectl, name, build, asking.show_in_short, signing, service)


@on_cluster
async def vote(
    kubectl: Kubectl,
    name: NetworkName,
    proposal_id: ProposalId,
    choice: Choice,
    signing: SigningOptions,
    service: ServiceOptions,
) -> None:
    """Vote on a proposal. A ballot cannot be changed."""
    build = acts.build_vote(proposal_id, choice)
    await _sign(kubectl, name, build, asking.show_in_short, signing, service)


@on_cluster
async def withdraw(
    kubectl: Kubectl, name: NetworkName, proposal_id: ProposalId, signing: SigningOptions, service: ServiceOptions
) -> None:
    """Withdraw your own open proposal."""
    build = acts.build_withdrawal(proposal_id)
    await _sign(kubectl, name, build, asking.show_in_short, signing, service)


@on_cluster
async def trust(kubectl: Kubectl, name: NetworkName, signing: SigningOptions, service: ServiceOptions) -> None:
    """Let new nodes in and dead ones out, in one proposal.

    Those of the operator that wait to be trusted, and those that have provably ended; with your vote for it."""
    await _sign(kubectl, name, acts.build_trust, asking.show_in_short, signing, service)


@on_cluster
async def renew(
    kubectl: Kubectl, name: NetworkName, signing: SigningOptions, service: ServiceOptions, days: Days = None
) -> None:
    """Renew the certificates of the service and its nodes.

    A proposal, with your vote for it; keys stay as they are."""
    build = acts.build_renewal(days)
    await _sign(kubectl, name, build, asking.show_in_short, signing, service)


@on_cluster
async def submit_share(
    kubectl: Kubectl,
    name: NetworkName,
    signing: SigningOptions,
    service: ServiceOptions,
    enc_key: EncryptionKey = None,
    share: DecryptedShare = None,
) -> None:
    """Hand in your recovery share.

    With enough of them the recovered service can decrypt its ledger. It goes to the service that the members have
    accepted, after the same checks as for 'open'."""
    build = acts.build_share(enc_key, share)
    await _sign(kubectl, name, build, asking.show_service, signing, service)


@on_cluster
async def fetch_share(
    kubectl: Kubectl, name: NetworkName, cert: Certificate, out: Out, service: ServiceOptions
) -> None:
    """Fetch your encrypted recovery share into a file.

    To decrypt it where your encryption key is, in an HSM, say."""
    async with desk_of(kubectl, name, service) as at:
        at.insist()
        member = load_certificate(cert).member_id
        encrypted = await business.encrypted_share(at, member)
    write_new(out, base64.b64decode(encrypted))
    shown = console()
    shown.print(f"{out} is encrypted with your RSA key (OAEP, SHA-256, also for MGF1). Decrypt it, for instance:")
    shown.print(
        f"  openssl pkeyutl -decrypt -inkey KEY -in {out} -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 | "
        f"kubectl ccf prepare submit-share {name} --share - --out submit",
        soft_wrap=True,
    )


async def _sign(
    kubectl: Kubectl, name: str, build: acts.Build, show: Show, signing: SigningOptions, service: ServiceOptions
) -> None:
    member = load_member(signing.cert, signing.key)
    out = for_people(signing.output)
    async with desk_of(kubectl, name, service) as at:
        show(out, at)
        made = await build(at, member.member_id)
        if isinstance(made, str):
            nothing, done = made, []
            out.print(made)
        else:
            asking.show_business(out, made, member.member_id)
            asking.confirm("Sign and send this?", "nothing was signed", assured=signing.yes)
            nothing, done = "", await asking.carry_out(out, at, member, made)
            await report_share(out, kubectl, at, made.request, done[-1].answer.body, member.member_id)
    if signing.output is not Format.TEXT:
        write(document(name, member.member_id, done, nothing), signing.output)


def desk_of(kubectl: Kubectl, name: str, service: ServiceOptions) -> AbstractAsyncContextManager[Desk]:
    """A desk at the node that the options mean."""
    file, tx_id = service.known_service, service.known_txid
    pem = read(file, "the known service's certificate") if file is not None else None
    known = Knowledge(pem, _tx_id(tx_id) if tx_id is not None else None)
    return desk(kubectl, name, node=service.node, way=service.reach, known=known)


def _tx_id(text: str) -> TxID:
    try:
        return TxID.parse(text)
    except ValueError as error:
        raise Failure(Exit.USAGE, str(error), "give it as CCF writes it: --known-txid 2.1204") from error
