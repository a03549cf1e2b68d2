"""What each of the members' commands makes of its arguments: something to sign, whoever signs it and wherever."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from ccf_operator.ccf import messages
from ccf_operator.ccf.messages import Action
from ccf_operator.cli import business
from ccf_operator.cli.desk import Desk
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.identity import read, read_share
from ccf_operator.cli.signing import Business

Build = Callable[[Desk, str], Awaitable[Business | str]]
"""Of a desk and a member's id: what to sign, or a sentence where nothing is left to."""


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
        return business.vote(at, one, member, source, words)

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
