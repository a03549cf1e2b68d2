"""The members at work, each with a voice: what they sign and send, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from ccf_operator.ccf import governance
from ccf_operator.ccf.governance import Action, GovernanceClient, Member, Proposal, ShareReceipt
from e2e.demo.screen import Screen
from e2e.harness.consortium import Consortium, Door, patiently

T = TypeVar("T")

REFUSED_FOR = 60.0
"""Seconds during which a refusal that may pass (an election, say) is taken for one that passes."""


class Voices:
    """Members who say what they do."""

    def __init__(self, consortium: Consortium, screen: Screen) -> None:
        self._consortium, self._screen = consortium, screen

    def activate(self, door: Door) -> None:
        """Every member acknowledges the state."""
        for member in self._consortium.members:
            self._do("acknowledging the state", partial(door.ask, partial(_activate, member)))
            self._screen.say(member.name, "acknowledges the state and is an active member")

    def open(self, door: Door) -> None:
        """Vote a new service open."""
        self._pass(door, [governance.transition_service_to_open(door.service_certificate)])

    def install_app(self, door: Door) -> None:
        """Vote the client's application in."""
        self._do("installing the client's application", lambda: self._consortium.install_app(door))
        self._screen.say("members", "install the application that the client uses, a journal (set_js_app)")

    def accept_recovery(self, door: Door) -> None:
        """Vote the recovered service in: each signs for what the node itself says it is."""
        network, previous = self._do("reading the two service identities", lambda: door.ask(_identities))
        self._pass(door, [governance.transition_service_to_open(network, previous)])

    def submit_shares(self, door: Door) -> None:
        """Hand in recovery shares until they are enough. Raises RuntimeError if all together are not."""
        for member in self._consortium.members:
            receipt = self._do("handing in a recovery share", partial(door.ask, partial(_submit_share, member)))
            self._screen.say(member.name, f"hands in a recovery share: {receipt.submitted} of {receipt.threshold}")
            if receipt.complete:
                return
        raise RuntimeError("all members handed in their shares and the service did not begin to decrypt its ledger")

    def _pass(self, door: Door, actions: Sequence[Action]) -> None:
        first, *_ = members = self._consortium.members
        names = " and ".join(action["name"] for action in actions)
        state = self._do(f"proposing {names}", lambda: door.ask(lambda client: client.propose(first, actions)))
        self._screen.say(first.name, f"proposes {names} ({state.proposal_id})")
        for member in members:
            if state.state != "Open":
                break
            state = self._do("voting", partial(door.ask, partial(_vote, member, state.proposal_id)))
            outcome = "" if state.state == "Open" else f": {state.state}"
            self._screen.say(member.name, f"votes yes{outcome}")
        if state.state != "Accepted":
            raise RuntimeError(f"the proposal {names} is {state.state} after every member voted yes")
        transaction = state.transaction_id
        if transaction is not None:
            self._do("waiting for the commit", lambda: door.ask(lambda c: c.wait_for_commit(transaction)))

    def _do(self, what: str, act: Callable[[], T]) -> T:
        with self._screen.waiting(what):
            return patiently(what, act, within=REFUSED_FOR)


async def _activate(member: Member, client: GovernanceClient) -> None:
    await client.activate(member)


async def _vote(member: Member, proposal_id: str, client: GovernanceClient) -> Proposal:
    return await client.vote(member, proposal_id)


async def _submit_share(member: Member, client: GovernanceClient) -> ShareReceipt:
    return await client.submit_share(member)


async def _identities(client: GovernanceClient) -> tuple[str, str]:
    network, previous = await asyncio.gather(client.get("/node/network"), client.get("/node/service/previous_identity"))
    return network["service_certificate"], previous["previous_service_identity"]
