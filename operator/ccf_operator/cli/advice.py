"""What happens next in a network, who must act, and the commands for it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ccf_operator.api.governance_status import GovernanceStatus
from ccf_operator.api.operator_member_status import AwaitedProposal
from ccf_operator.api.status import Phase, Verdict
from ccf_operator.cli.network import Network
from ccf_operator.cli.words import sentence
from ccf_operator.domain.members_words import opening, yet_to_submit
from ccf_operator.domain.reasons import Reason
from ccf_operator.kube.views import OUT_OF_SERVICE_TAINT
from ccf_operator.render import labels

NOBODY = "nobody"
MEMBERS = "the members"
ON_CALL = "whoever is on call"

_BY_ITSELF = {
    Phase.CREATING: "The operator starts the nodes.",
    Phase.RECOVERING: "The operator recovers the network; it will say when it needs someone.",
    Phase.AWAITING_MEMBERS: "The members have done their part; the service opens by itself.",
    Phase.DELETING: "The operator takes the network down; its volumes stay.",
}


@dataclass(frozen=True)
class Advice:
    """Who must act, what happens or must be done, and commands, each with what it is for."""

    who: str
    what: str
    commands: tuple[tuple[str, str], ...] = ()


def advise(network: Network, flags: Sequence[str] = ()) -> Advice:
    """The advice for the network's present phase. `flags` say where it is, as kubectl takes them."""

    def command(*words: str) -> str:
        return shlex.join(["kubectl", "ccf", *words, *flags])

    name, status = network.name, network.status
    phase, reason = status.phase, status.reason
    governance = status.governance
    if phase is Phase.AWAITING_OPEN:
        late = governance.members.not_active if governance is not None else ["every member"]
        return Advice(
            MEMBERS,
            "Each member acknowledges the state once; then one after the other accepts the opening, until a "
            "majority has.",
            (
                *([(command("ack", name), f"{', '.join(late)}, once")] if late else []),
                (command("open", name), _voters(governance) or "members, until it is open"),
            ),
        )
    if phase is Phase.AWAITING_MEMBERS and reason == "RecoveryShares":
        return Advice(
            MEMBERS,
            "The recovered service is accepted. Recovery members submit their shares, so that its ledger can be "
            "decrypted.",
            (
                (
                    command("submit-share", name),
                    ", ".join(yet_to_submit(governance)) or "recovery members, up to the threshold",
                ),
            ),
        )
    if phase is Phase.AWAITING_MEMBERS and reason == "AcceptService":
        return Advice(
            MEMBERS,
            "One member after the other accepts the recovered service, until a majority has; then recovery members "
            "submit their shares.",
            (
                (command("open", name), _voters(governance) or "members: shows, checks and asks"),
                (command("submit-share", name), "then recovery members"),
            ),
        )
    if (phase is Phase.BLOCKED or status.attempt is not None) and labels.DECISION_KIND in status.next_step:
        return Advice(
            ON_CALL,
            "The operator needs a decision: see what it would do, what may be missing, and what can be decided.",
            ((command("recovery", "plan", name), "the choices, each with its command"),),
        )
    if status.found is not None and any(volume.being_read for volume in status.found.volumes):
        return Advice(NOBODY, sentence(status.next_step))
    if status.start is not None and status.start.ending_since is None:
        return Advice(
            NOBODY,
            "A person has started a recovery: the nodes are ended, and what they leave is recovered.",
            ((command("recovery", "abort", name), "calls it off, until nodes are being ended"),),
        )
    if phase in _BY_ITSELF and not status.next_step:
        return Advice(NOBODY, _BY_ITSELF[phase])
    if status.next_step.startswith("members") and (awaited := _proposed_by_the_operator(network)) is not None:
        return Advice(
            MEMBERS,
            sentence(status.next_step.removeprefix("members: ")),
            ((command("vote", name, awaited.id[:8], "yes"), "shows what it would do, and asks"),),
        )
    if status.next_step.startswith("members") and _nodes_to_replace(network):
        return Advice(
            MEMBERS,
            sentence(status.next_step.removeprefix("members: ")),
            ((command("trust", name), "one proposes just that, the others vote for it"),),
        )
    if status.next_step.startswith("members"):
        return Advice(
            MEMBERS,
            sentence(status.next_step.removeprefix("members: ")),
            ((command("proposals", name), "what has been proposed"),),
        )
    if (machines := about_silent_machines(network, flags)) and OUT_OF_SERVICE_TAINT in status.next_step:
        return Advice(
            ON_CALL,
            "Find out whether the silent nodes' machines still run. Silence proves nothing: say it of a machine that "
            "is off for good, and never of one that may still run.",
            (
                *machines,
                (command("recovery", "start", name), "if you cannot wait: ends all nodes, recovers what they leave"),
            ),
        )
    if status.next_step:
        return Advice(ON_CALL, sentence(status.next_step))
    return Advice(NOBODY, "Nothing needs to be done.")


def _voters(governance: GovernanceStatus | None) -> str:
    """Whose votes for the opening are missing; empty where nobody has proposed it, or nothing is known."""
    one = opening(governance) if governance is not None else None
    return f"{', '.join(one.missing)}: a vote for proposal {one.id[:8]}…" if one is not None and one.missing else ""


def _proposed_by_the_operator(network: Network) -> AwaitedProposal | None:
    """What is proposed about nodes and takes votes, where the operator has a member of its own."""
    own = network.status.operator_member
    return own.proposal if own is not None and own.usable else None


def _nodes_to_replace(network: Network) -> bool:
    """Whether a node waits to be trusted, or one that has ended is still part of the service."""
    counted = set(network.status.configuration.nodes) if network.status.configuration is not None else set()
    known = [record for record in network.status.nodes if record.node_id is not None]
    gone = any(record.ended is not None and record.node_id in counted for record in known)
    waiting = any(r.ended is None and r.stop is None and r.node_id not in counted for r in known)
    return gone or waiting


def about_silent_machines(network: Network, flags: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """What can be said of silent nodes' machines while the loss of quorum is suspected: a command for each.

    Not of one that is Ready and whose node's container runs, as the operator has seen; of none where that is cut off.
    """
    quorum = network.status.quorum
    if quorum.verdict is not Verdict.SUSPECTED or network.status.reason == Reason.OPERATOR_ISOLATED:
        return ()
    silent = {one.node for one in quorum.evidence if one.seen == "no answer"}
    dark = [r for r in network.status.nodes if r.name in silent and not (r.silence and r.silence.machine_ready)]
    machines = [r.machine.name for r in dark if r.machine is not None]
    return tuple((_taint(machine, flags), f"only if {machine} is off for good") for machine in machines)


def _taint(machine: str, flags: Sequence[str]) -> str:
    return shlex.join(["kubectl", "taint", "node", machine, f"{OUT_OF_SERVICE_TAINT}=nodeshutdown:NoExecute", *flags])
