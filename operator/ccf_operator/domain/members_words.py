"""What the members have done and what each of them does next, in sentences: with `kubectl ccf`, and in CCF's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ccf_operator.api.governance_status import GovernanceStatus, ProposalStatus, SharesStatus

_SHORT = 8
"""Digits of a proposal's id that people are given to type; the plugin takes the beginning of an id for it."""


@dataclass(frozen=True)
class Plugin:
    """How the commands of `kubectl ccf` about one network are written."""

    network: str
    namespace: str

    def does(self, command: str, *words: str) -> str:
        """A command about the network."""
        return " ".join(["kubectl ccf", command, self.network, *words, "-n", self.namespace])


def opening(governance: GovernanceStatus) -> ProposalStatus | None:
    """The proposal that opens the service, of several the one with the most ballots."""
    return next((one for one in governance.proposals if one.opens), None)


def so_far(governance: GovernanceStatus | None) -> str:
    """Who has acknowledged and voted and who has not, to be added to a message; empty where nothing is known."""
    if governance is None:
        return ""
    members, one = governance.members, opening(governance)
    said = [f"{members.active} of {members.total} members are active, not yet {_listed(members.not_active)}"]
    said = said if members.not_active else []
    if one is not None:
        said.append(f"proposal {one.id[:_SHORT]} of {one.proposer} to open it is open: {_ballots(one)}")
    else:
        said.append("nobody has proposed that yet")
    return "".join(f"; {sentence}" for sentence in said)


def shares_so_far(shares: SharesStatus | None) -> str:
    """How many shares are in, to be added to a message."""
    if shares is None or shares.threshold is None:
        return ""
    if not shares.reported_by:
        return f"; {shares.threshold} are needed, and nobody has reported one"
    return (
        f"; {shares.submitted} of {shares.threshold} are in, as members' plugins reported "
        f"({_listed(shares.reported_by)})"
    )


def to_open(plugin: Plugin, governance: GovernanceStatus | None, identities: str) -> str:
    """What members do next for the service to be opened. `identities`: the arguments of the proposal, in words."""
    action = f"transition_service_to_open with {identities}"
    if governance is None:
        return (
            f"each acknowledges the state digest, unless it is active already ({plugin.does('ack')}); then propose and "
            f"vote {action} ({plugin.does('open')})"
        )
    late, one = governance.members.not_active, opening(governance)
    steps = [f"{_listed(late)}: {plugin.does('ack')} (acknowledge the state digest)"] if late else []
    if one is None:
        steps.append(f"one after the other: {plugin.does('open')} (propose and vote {action})")
    elif one.missing:
        ballot = f"{plugin.does('vote', one.id[:_SHORT], 'yes')}, or {plugin.does('open')}, which checks the service"
        steps.append(f"{_listed(one.missing)}: {ballot} (a ballot on proposal {one.id}: {action})")
    else:
        withdraw = plugin.does("withdraw", one.id[:_SHORT])
        steps.append(f"all active members have voted, and it was not enough: {one.proposer}: {withdraw}")
    return "; ".join(steps)


def to_submit(plugin: Plugin, governance: GovernanceStatus | None) -> str:
    """Who submits a share next, and how."""
    command, missing = plugin.does("submit-share"), yet_to_submit(governance)
    return f"{_listed(missing)}: {command}" if missing else command


def yet_to_submit(governance: GovernanceStatus | None) -> list[str]:
    """Recovery members of whose shares nobody has reported that they are in; empty where nothing is known."""
    if governance is None or governance.shares is None:
        return []
    return [name for name in governance.members.recovery if name not in governance.shares.reported_by]


def _ballots(one: ProposalStatus) -> str:
    return f"voted {_listed(one.ballots) or 'nobody'}, not yet {_listed(one.missing) or 'nobody'}"


def _listed(members: Sequence[str]) -> str:
    return ", ".join(members)
