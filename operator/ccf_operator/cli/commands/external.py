"""Signing with a key that is elsewhere (an HSM, a key vault): `prepare` writes what is to be signed, `finish` sends."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from ccf_operator.cli import acts, asking, business
from ccf_operator.cli.commands import members
from ccf_operator.cli.commands.members import Choice, Days, ProposalFile, ProposalId, Show
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.identity import load_certificate
from ccf_operator.cli.kubectl import Kubectl
from ccf_operator.cli.options import (
    DecryptedShare,
    EncryptionKey,
    Format,
    Known,
    KnownTxID,
    NetworkName,
    Output,
    PreparingOptions,
    Reach,
    ServiceOptions,
    on_cluster,
)
from ccf_operator.cli.output import for_people, write
from ccf_operator.cli.prepared import Prepared, beside, load, read_signature
from ccf_operator.cli.reach import Way
from ccf_operator.cli.share_report import report_share
from ccf_operator.cli.signing import Then, document, follow_up

prepare = typer.Typer(
    no_args_is_help=True,
    help="Write what is to be signed, for a key that is elsewhere.\n\n"
    "Checks and explains it, as the commands of the same name do, and writes it to a file with the bytes to sign "
    "beside it (.tbs); then 'finish'.",
)

PreparedFile = Annotated[Path, typer.Argument(metavar="FILE", help="What 'prepare' has written.")]
Signature = Annotated[
    Path,
    typer.Option("--signature", metavar="FILE", help="The signature: DER or r and s; binary, base64 or JSON."),
]


@prepare.command("ack")
@on_cluster
async def ack(kubectl: Kubectl, name: NetworkName, preparing: PreparingOptions, service: ServiceOptions) -> None:
    """Acknowledge the service's state.

    Takes two signatures: of a request for its digest, then of the digest."""
    await _prepare(kubectl, name, acts.build_ack, asking.show_service, preparing, service)


@prepare.command("open")
@on_cluster
async def open_(kubectl: Kubectl, name: NetworkName, preparing: PreparingOptions, service: ServiceOptions) -> None:
    """Accept the service that is offered, new or recovered.

    Takes two signatures where you are the first: of the proposal, and of your vote."""
    await _prepare(kubectl, name, business.open_service, asking.show_service, preparing, service)


@prepare.command("propose")
@on_cluster
async def propose(
    kubectl: Kubectl, name: NetworkName, file: ProposalFile, preparing: PreparingOptions, service: ServiceOptions
) -> None:
    """Propose what a file says, and vote for it. Takes two signatures."""
    build = acts.build_proposal(file)
    await _prepare(kubectl, name, build, asking.show_in_short, preparing, service)


@prepare.command("vote")
@on_cluster
async def vote(
    kubectl: Kubectl,
    name: NetworkName,
    proposal_id: ProposalId,
    choice: Choice,
    preparing: PreparingOptions,
    service: ServiceOptions,
) -> None:
    """Vote on a proposal."""
    build = acts.build_vote(proposal_id, choice)
    await _prepare(kubectl, name, build, asking.show_in_short, preparing, service)


@prepare.command("withdraw")
@on_cluster
async def withdraw(
    kubectl: Kubectl, name: NetworkName, proposal_id: ProposalId, preparing: PreparingOptions, service: ServiceOptions
) -> None:
    """Withdraw your own open proposal."""
    build = acts.build_withdrawal(proposal_id)
    await _prepare(kubectl, name, build, asking.show_in_short, preparing, service)


@prepare.command("trust")
@on_cluster
async def trust(kubectl: Kubectl, name: NetworkName, preparing: PreparingOptions, service: ServiceOptions) -> None:
    """Let new nodes in and dead ones out, in one proposal."""
    await _prepare(kubectl, name, acts.build_trust, asking.show_in_short, preparing, service)


@prepare.command("renew")
@on_cluster
async def renew(
    kubectl: Kubectl, name: NetworkName, preparing: PreparingOptions, service: ServiceOptions, days: Days = None
) -> None:
    """Renew the certificates of the service and its nodes."""
    build = acts.build_renewal(days)
    await _prepare(kubectl, name, build, asking.show_in_short, preparing, service)


@prepare.command("submit-share")
@on_cluster
async def submit_share(
    kubectl: Kubectl,
    name: NetworkName,
    preparing: PreparingOptions,
    service: ServiceOptions,
    enc_key: EncryptionKey = None,
    share: DecryptedShare = None,
) -> None:
    """Hand in your recovery share.

    What is written holds it in the clear; 'finish' removes it when the share is in."""
    build = acts.build_share(enc_key, share)
    await _prepare(kubectl, name, build, asking.show_service, preparing, service)


async def _prepare(
    kubectl: Kubectl, name: str, build: acts.Build, show: Show, preparing: PreparingOptions, service: ServiceOptions
) -> None:
    certificate, form = load_certificate(preparing.cert), preparing.output
    out = for_people(form)
    async with members.desk_of(kubectl, name, service) as at:
        show(out, at)
        made = await build(at, certificate.member_id)
    if isinstance(made, str):
        out.print(made)
        if form is not Format.TEXT:
            write(document(name, certificate.member_id, [], made), form)
        return
    asking.show_business(out, made, certificate.member_id)
    prepared = Prepared(name, service.node, certificate, made.title, made.request, made.then)
    files = _save(out, prepared, preparing.out)
    if form is not Format.TEXT:
        write({"network": name, "member": certificate.member_id, **files}, form)


def _save(out: Console, prepared: Prepared, file: Path) -> dict[str, Any]:
    """Write what is to be signed, and say how; the same for programs."""
    to_be_signed = prepared.save(file)
    out.print(Text.assemble("written: ", (str(file), "command"), ", to be signed: ", (str(to_be_signed), "command")))
    out.print(f"Sign the second with ECDSA and {prepared.digest_name}, and finish; with a key file, for instance:")
    out.print(f"  openssl dgst -{prepared.digest_name} -sign KEY -out {file}.sig {to_be_signed}", soft_wrap=True)
    out.print(f"  kubectl ccf finish {prepared.network} {file} --signature {file}.sig", soft_wrap=True)
    if prepared.is_secret:
        out.print("Both hold your share in the clear: keep them to yourself; 'finish' removes them.", style="warn")
    return {"file": str(file), "toBeSigned": str(to_be_signed), "digest": prepared.digest_name}


def _remove(out: Console, *files: Path) -> None:
    for file in files:
        file.unlink(missing_ok=True)
    out.print(f"removed, for your share was in them: {', '.join(map(str, files))}", soft_wrap=True)


@on_cluster
async def finish(
    kubectl: Kubectl,
    name: NetworkName,
    file: PreparedFile,
    signature: Signature,
    output: Output = Format.TEXT,
    reach: Reach = Way.AUTO,
    known_service: Known = None,
    known_txid: KnownTxID = None,
) -> None:
    """Send what 'prepare' has written.

    With the signature made elsewhere. The service is checked again. Where a second signature follows, the next file
    to sign is written beside this one."""
    prepared, second = load(file), file.with_name(f"{file.name}-2")
    if prepared.network != name:
        raise Failure(
            Exit.USAGE, f"{file} was prepared for network {prepared.network}", "name that network, or prepare anew"
        )
    if prepared.then is not Then.NOTHING and second.exists():
        raise Failure(
            Exit.USAGE, f"{second} exists, where the second message to sign would be written", "remove it, or move it"
        )
    message, member = prepared.sign(read_signature(signature)), prepared.certificate.member_id
    out = for_people(output)
    service = ServiceOptions(prepared.node, reach, known_service, known_txid)
    async with members.desk_of(kubectl, name, service) as at:
        asking.show_in_short(out, at)
        at.insist()
        business.insist_on_the_same(at, prepared.request)
        done = await asking.deliver(out, at, prepared.request, message)
        await report_share(out, kubectl, at, prepared.request, done.answer.body, member)
        following = follow_up(prepared.then, member, done.answer.body, at.now())
    if prepared.is_secret:
        _remove(out, file, beside(file))
    left: dict[str, Any] = {}
    if following is not None:
        out.print("\nOne more signature is needed:")
        again = Prepared(name, prepared.node, prepared.certificate, prepared.title, following, Then.NOTHING)
        left = {"next": _save(out, again, second)}
    if output is not Format.TEXT:
        write(document(name, member, [done]) | left, output)
