"""The members' commands: each shows what it would sign, asks, signs with a key file, and sends."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ccf_operator.ccf import messages
from ccf_operator.ccf.messages import Action
from ccf_operator.cli import asking, business, governance_view, roster
from ccf_operator.cli.desk import Desk, desk
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.identity import load_certificate, load_member, read, read_share
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
from ccf_operator.cli.signing import Business, document
from ccf_operator.cli.terminal import console
from ccf_operator.domain.txid import TxID

Build = Callable[[Desk, str], Awaitable[Business | str]]
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
    note = f"{active} of {len(listed)} are active; {threshold} recovery shares are needed after a recovery"
    say(console(), titled("Members", rows, Text(note, style="dim")))


@on_cluster
async def ack(kubectl: Kubectl, name: NetworkName, signing: SigningOptions, service: ServiceOptions) -> None:
    """Acknowledge the service's state: it makes a member active."""
    await _sign(kubectl, name, build_ack, asking.show_service, signing, service)


@on_cluster
async def open_(kubectl: Kubectl, name: NetworkName, signing: SigningOptions, service: ServiceOptions) -> None:
    """Accept the service that the operator offers: a new one, or a recovered one.

    Shows what is offered and checks it: the node's key, the service's key, the service it goes on from, its TxID and
    its nodes. Proposes the opening, or votes for it where another member has proposed the same; members give the
    command one after the other until it is open."""
    await _sign(kubectl, name, business.open_service, asking.show_service, signing, service)


@on_cluster
async def proposals(
    kubectl: Kubectl, name: NetworkName, service: ServiceOptions, every: All = False, output: Output = Format.TEXT
) -> None:
    """List open proposals: what each would do, and whose votes are in and missing."""
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
    build = build_proposal(file)
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
    build = build_vote(proposal_id, choice)
    await _sign(kubectl, name, build, asking.show_in_short, signing, service)


@on_cluster
async def withdraw(
    kubectl: Kubectl, name: NetworkName, proposal_id: ProposalId, signing: SigningOptions, service: ServiceOptions
) -> None:
    """Withdraw your own open proposal."""
    build = build_withdrawal(proposal_id)
    await _sign(kubectl, name, build, asking.show_in_short, signing, service)


@on_cluster
async def trust(kubectl: Kubectl, name: NetworkName, signing: SigningOptions, service: ServiceOptions) -> None:
    """Propose to trust the operator's new nodes and to remove those that have ended, together; and vote for it."""
    await _sign(kubectl, name, build_trust, asking.show_in_short, signing, service)


@on_cluster
async def renew(
    kubectl: Kubectl, name: NetworkName, signing: SigningOptions, service: ServiceOptions, days: Days = None
) -> None:
    """Propose new certificates for the service and all of its nodes, with their present keys; and vote for it."""
    build = build_renewal(days)
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
    """Hand in your recovery share, so that the recovered service can decrypt its ledger.

    It goes to the service that the members have accepted, after the same checks as for 'open'."""
    build = build_share(enc_key, share)
    await _sign(kubectl, name, build, asking.show_service, signing, service)


@on_cluster
async def fetch_share(
    kubectl: Kubectl, name: NetworkName, cert: Certificate, out: Out, service: ServiceOptions
) -> None:
    """Fetch your encrypted recovery share into a file, to decrypt it where your encryption key is (an HSM)."""
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
    kubectl: Kubectl, name: str, build: Build, show: Show, signing: SigningOptions, service: ServiceOptions
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
            asking.confirm(assured=signing.yes)
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


async def build_ack(at: Desk, member: str) -> Business | str:
    """An acknowledgement; a sentence where the member is active already."""
    found = await business.insist_on_member(at, member, "Accepted", "Active")
    if found.status == "Active":
        return "you are active already"
    return business.acknowledge(at, member)


def build_proposal(file: Path) -> Build:
    """A proposal of the actions in a file. Raises Failure."""
    text = read(file, "the proposal", "give the path of a JSON file with the actions to propose")
    try:
        actions: list[Action] = json.loads(text)["actions"]
        assert all(isinstance(action["name"], str) for action in actions)
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise Failure(
            Exit.USAGE, f"{file} is not a proposal", 'write JSON: {"actions": [{"name": "...", "args": {...}}]}'
        ) from error

    async def build(at: Desk, member: str) -> Business | str:
        await business.insist_on_member(at, member, "Active")
        return business.propose_actions(at, actions)

    return build


def build_vote(proposal_id: str, choice: str) -> Build:
    """A ballot: `yes`, `no`, or the JavaScript of a file. Raises Failure."""
    plain = {"yes": (messages.YES, "a vote for"), "no": (messages.NO, "a vote against")}
    how = "say yes, no, or the path of a JavaScript file that exports vote()"
    source, words = plain.get(choice) or (read(Path(choice), "the ballot", how), f"the ballot in {choice} on")

    async def build(at: Desk, member: str) -> Business | str:
        await business.insist_on_member(at, member, "Active")
        one = await business.proposal(at, proposal_id)
        return business.vote(at, one, member, source, f"{words} proposal {one.proposal_id[:8]}…, which would")

    return build


def build_withdrawal(proposal_id: str) -> Build:
    """The withdrawal of one's own proposal."""

    async def build(at: Desk, member: str) -> Business | str:
        return business.withdraw(at, await business.proposal(at, proposal_id), member)

    return build


async def build_trust(at: Desk, member: str) -> Business | str:
    """A proposal that replaces ended nodes by those that wait to be trusted; a sentence where there are none."""
    await business.insist_on_member(at, member, "Active")
    actions = await business.replacements(at)
    if not actions:
        return "no node waits to be trusted, and none that has ended is still part of the service"
    return await business.propose_or_vote(at, actions, member)


def build_renewal(days: int | None) -> Build:
    """A proposal that renews certificates, or a vote for it."""

    async def build(at: Desk, member: str) -> Business | str:
        await business.insist_on_member(at, member, "Active")
        return await business.propose_or_vote(at, business.renewal(at, days), member)

    return build


def build_share(encryption_key: Path | None, share: Path | None) -> Build:
    """One's recovery share. Raises Failure."""
    if (encryption_key is None) == (share is None):
        raise Failure(
            Exit.USAGE,
            "your share must be decrypted: here with --enc-key, or elsewhere (--share)",
            "give --enc-key FILE; for a key in an HSM see kubectl ccf share --help",
        )

    clear = read_share(share) if share is not None else None

    async def build(at: Desk, member: str) -> Business | str:
        if (unneeded := await business.insist_on_waiting_for_shares(at)) is not None:
            return unneeded
        await business.insist_on_member(at, member, "Active")
        if clear is not None:
            return business.submit_share(at, member, clear)
        assert encryption_key is not None
        return business.submit_share(at, member, await _decrypted(at, member, encryption_key))

    return build


async def _decrypted(at: Desk, member: str, key: Path) -> bytes:
    encrypted = await business.encrypted_share(at, member)
    try:
        return messages.decrypt_share(read(key, "the encryption key"), encrypted)
    except (ValueError, TypeError) as error:
        raise Failure(
            Exit.USAGE,
            f"your share cannot be decrypted with {key}: {error}",
            "give the RSA key whose public part the consortium has as yours",
        ) from error
