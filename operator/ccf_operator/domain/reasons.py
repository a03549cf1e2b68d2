"""Every reason a network can give for its phase, how it is to be judged, what it means and what to do about it.

`docs/reference/conditions.md` is made from this. A reason is part of the API: people write alerts for it; it is never
renamed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ccf_operator.api.status import Phase


class Reason(StrEnum):
    """Why a network is in its phase: `status.reason`, and the reason of Ready, Reconciling, Stalled and Progressing."""

    INPUTS_MISSING = "InputsMissing"
    STARTING = "Starting"
    JOINING = "Joining"
    MEMBERS_MUST_OPEN = "AwaitingMembers"
    RUNNING = "Running"
    NODES_MISSING = "NodesMissing"
    NODES_ENDED = "NodesEnded"
    NODES_SILENT = "NodesSilent"
    QUORUM_SUSPECTED = "QuorumSuspected"
    OPERATOR_ISOLATED = "OperatorIsolated"
    ENDING_NODES = "EndingNodes"
    BETWEEN_ATTEMPTS = "BetweenAttempts"
    FENCING = "Fencing"
    CANDIDATES = "Candidates"
    TRYING_AGAIN = "TryingAgain"
    BEST_IS_SILENT = "BestIsSilent"
    LOSS_DOUBTED = "LossDoubted"
    TWO_SERVICES = "TwoServices"
    LOSERS_REMAIN = "LosersRemain"
    NO_PRIMARY = "NoPrimary"
    ELECTING = "Electing"
    ACCEPT_SERVICE = "AcceptService"
    RECOVERY_SHARES = "RecoveryShares"
    DECRYPTING = "Decrypting"
    OPENING = "Opening"
    DEAD_END_SUSPECTED = "DeadEndSuspected"
    NAME_TAKEN = "NameTaken"
    VOLUMES_FOUND = "VolumesFound"
    STATUS_OUTDATED = "StatusOutdated"
    START_FAILED = "StartFailed"
    LOST_BEFORE_OPEN = "LostBeforeOpen"
    RECOVERY_DISABLED = "RecoveryDisabled"
    RECOVERY_PAUSED = "RecoveryPaused"
    VOLUMES_TAKEN = "VolumesTaken"
    NOTHING_RECOVERED = "NothingRecovered"
    APPROVAL_REQUIRED = "ApprovalRequired"
    MAY_HAVE_OPENED = "MayHaveOpened"
    DELETED = "Deleted"


class MemberReason(StrEnum):
    """Why the operator can or cannot act as the member that the spec names: reason of OperatorMemberUsable."""

    USABLE = "Usable"
    NOT_ASKED = "ServiceNotAsked"
    NOT_ACTIVE = "NotActiveYet"
    SECRET_FORBIDDEN = "SecretForbidden"
    SECRET_MISSING = "SecretMissing"
    SECRET_UNUSABLE = "SecretUnusable"
    NOT_A_MEMBER = "NotAMember"
    RECOVERY_MEMBER = "RecoveryMember"
    REFUSED = "Refused"


@dataclass(frozen=True)
class MemberMeaning:
    """What such a reason stands for."""

    reason: MemberReason
    means: str
    do: str = ""


class Health(StrEnum):
    """How a network is judged by whoever waits for it."""

    SERVES = "serves"
    WORKS = "works"
    MEMBERS = "members"
    PERSON = "person"


@dataclass(frozen=True)
class Meaning:
    """What a reason stands for in the phases in which it is given.

    `health` is MEMBERS also for other reasons, as long as the members are asked for something.
    """

    reason: Reason
    phases: tuple[Phase, ...]
    health: Health
    means: str
    do: str = ""


_BY_ITSELF = "nothing: it goes on by itself"

MEANINGS: tuple[Meaning, ...] = (
    Meaning(
        Reason.INPUTS_MISSING,
        (Phase.CREATING,),
        Health.WORKS,
        "The spec refers to something that does not exist or cannot be used; the message says what.",
        "create or correct it; the operator looks again by itself",
    ),
    Meaning(
        Reason.STARTING,
        (Phase.CREATING,),
        Health.WORKS,
        "The first node is being started; the message says what it waits for.",
        "nothing, unless the message names an image or a place that cannot be had",
    ),
    Meaning(
        Reason.JOINING,
        (Phase.CREATING, Phase.RECOVERING),
        Health.WORKS,
        "Nodes join the new or the recovered service; the message says how many, and how failed ones ended.",
        _BY_ITSELF,
    ),
    Meaning(
        Reason.MEMBERS_MUST_OPEN,
        (Phase.AWAITING_OPEN,),
        Health.MEMBERS,
        "The service runs and has never been open.",
        "the members acknowledge the state and open it (`kubectl ccf ack`, `kubectl ccf open`)",
    ),
    Meaning(Reason.RUNNING, (Phase.RUNNING,), Health.SERVES, "The service is open on every node that the spec wants."),
    Meaning(
        Reason.NODES_MISSING,
        (Phase.RUNNING,),
        Health.WORKS,
        "The service is open; fewer nodes serve clients than the spec wants. Given by conditions only: "
        "`status.reason` stays Running.",
        "nothing, unless `nextStep` asks the members to trust a node",
    ),
    Meaning(
        Reason.NODES_ENDED,
        (Phase.DEGRADED,),
        Health.WORKS,
        "Nodes have provably ended; the quorum holds and the service goes on. Others are started in their place.",
        "the members trust the new nodes and remove the ended ones in one proposal, once `nextStep` lists them "
        "(`kubectl ccf trust`); with an operator's member (how-to/governance.md) nobody has to",
    ),
    Meaning(
        Reason.NODES_SILENT,
        (Phase.DEGRADED,),
        Health.WORKS,
        "A minority of the nodes does not answer; the quorum holds and the service goes on. Nothing is done to them: "
        "silence proves nothing.",
        "look at the network where they run by the word of their kubelets, else at their machines, as `nextStep` shows",
    ),
    Meaning(
        Reason.QUORUM_SUSPECTED,
        (Phase.CREATING, Phase.AWAITING_OPEN, Phase.DEGRADED),
        Health.PERSON,
        "No quorum has been seen for `spec.recovery.quorumLossWindow`, and no loss is proven.",
        "where nodes run by the word of their kubelets, look at the network first; else find out whether the silent "
        "machines still run, and say it of those that are gone for good; or have all nodes ended and the service "
        "recovered, as `nextStep` shows",
    ),
    Meaning(
        Reason.OPERATOR_ISOLATED,
        (Phase.CREATING, Phase.AWAITING_OPEN, Phase.DEGRADED, Phase.RECOVERING),
        Health.PERSON,
        "The operator reaches no node of any network that it watches: it is cut off itself, and services may be well.",
        "find out what keeps the operator's pod from the nodes: network policies, its machine. Nothing is to be done "
        "about the nodes",
    ),
    Meaning(
        Reason.ENDING_NODES,
        (Phase.RECOVERING,),
        Health.WORKS,
        "A person has started a recovery of a service whose quorum is not lost for good: its nodes are ended, and the "
        "attempt begins once their ends are proven.",
        "nothing; if a node does not end, say of machines that are gone for good that they are, as `nextStep` shows",
    ),
    Meaning(
        Reason.BETWEEN_ATTEMPTS,
        (Phase.RECOVERING,),
        Health.WORKS,
        "The quorum is lost for good; an attempt to recover begins shortly.",
        _BY_ITSELF,
    ),
    Meaning(
        Reason.FENCING,
        (Phase.RECOVERING,),
        Health.WORKS,
        "Before a candidate starts on a volume, whatever wrote to it must have ended provably.",
        _BY_ITSELF,
    ),
    Meaning(
        Reason.CANDIDATES,
        (Phase.RECOVERING,),
        Health.WORKS,
        "Candidates recover what the surviving volumes hold.",
        _BY_ITSELF,
    ),
    Meaning(
        Reason.TRYING_AGAIN,
        (Phase.RECOVERING,),
        Health.WORKS,
        "A candidate was ended by something else than its ledger; another is started on its volume before a choice "
        "is made.",
        _BY_ITSELF,
    ),
    Meaning(
        Reason.BEST_IS_SILENT,
        (Phase.RECOVERING,),
        Health.WORKS,
        "The candidate with the greatest TxID has not answered of late; it must, before it is chosen.",
        _BY_ITSELF,
    ),
    Meaning(
        Reason.LOSS_DOUBTED,
        (Phase.RECOVERING,),
        Health.WORKS,
        "What is seen now speaks against the proof of the loss; nothing is destroyed or offered while that is so.",
        "if it stays so, decide: abort, by the command in `nextStep`",
    ),
    Meaning(
        Reason.TWO_SERVICES,
        (Phase.BLOCKED,),
        Health.PERSON,
        "The service being recovered has come back, although machines were said to be gone for good, and the members "
        "may have accepted the recovered one by then.",
        "decide which of the two goes on: approve for the recovered one, abort for the other, by the commands in "
        "`nextStep`",
    ),
    Meaning(
        Reason.LOSERS_REMAIN,
        (Phase.RECOVERING,),
        Health.WORKS,
        "The winner is chosen; the members are asked only when every other candidate has provably ended.",
        "if it stays so, say of machines that are gone for good that they are, as `nextStep` shows",
    ),
    Meaning(
        Reason.NO_PRIMARY,
        (Phase.RECOVERING,),
        Health.PERSON,
        "The recovered network has shown no primary for `spec.recovery.quorumLossWindow`.",
        "end the nodes that hang, as `nextStep` shows; a new attempt follows",
    ),
    Meaning(
        Reason.ELECTING,
        (Phase.AWAITING_MEMBERS,),
        Health.WORKS,
        "The nodes of the recovered network elect a primary; then the members go on with it.",
        _BY_ITSELF,
    ),
    Meaning(
        Reason.ACCEPT_SERVICE,
        (Phase.AWAITING_MEMBERS,),
        Health.MEMBERS,
        "The ledger is recovered; the members must accept the new service. Nothing times out.",
        "the members compare and accept it (`kubectl ccf open`), then submit shares",
    ),
    Meaning(
        Reason.RECOVERY_SHARES,
        (Phase.AWAITING_MEMBERS,),
        Health.MEMBERS,
        "The members have accepted the service; recovery shares are needed to decrypt its ledger.",
        "recovery members submit their shares (`kubectl ccf submit-share`), again if the primary has changed since",
    ),
    Meaning(
        Reason.DECRYPTING,
        (Phase.AWAITING_MEMBERS,),
        Health.WORKS,
        "Enough shares were submitted; the ledger is being decrypted.",
        _BY_ITSELF,
    ),
    Meaning(
        Reason.OPENING,
        (Phase.AWAITING_MEMBERS,),
        Health.WORKS,
        "The ledger is decrypted; the service is open once that has committed and a quorum says so.",
        _BY_ITSELF,
    ),
    Meaning(
        Reason.DEAD_END_SUSPECTED,
        (Phase.AWAITING_MEMBERS,),
        Health.WORKS,
        "Whoever was to open the service ended in the one moment from which CCF cannot go on.",
        "nothing: if it stays so a new attempt follows, for which the members act once more",
    ),
    Meaning(
        Reason.NAME_TAKEN,
        (Phase.BLOCKED,),
        Health.PERSON,
        "Objects that the network needs exist under their names and belong to someone else.",
        "delete or rename them, or give the network another name",
    ),
    Meaning(
        Reason.VOLUMES_FOUND,
        (Phase.BLOCKED,),
        Health.PERSON,
        "Volumes of an earlier network of this name exist; none is started beside ledgers that may be needed.",
        "decide: adopt or disown them, by the command in `nextStep`",
    ),
    Meaning(
        Reason.STATUS_OUTDATED,
        (Phase.BLOCKED,),
        Health.PERSON,
        "Volumes, claims or running pods show that the status is not the newest there was: an older one was put back, "
        "or it was edited. Nothing is decided from it; the message says what was found where.",
        "put the newest status back that there is; nodes that serve are taken up by themselves; else decide: adopt "
        "what the volumes hold, by the command in `nextStep`",
    ),
    Meaning(
        Reason.START_FAILED,
        (Phase.BLOCKED,),
        Health.PERSON,
        "The first node ended before it had made a service; the message says how.",
        "correct the spec or what it refers to; the operator then starts anew, unless the node may have served unseen: "
        "then `nextStep` says how its volume is read",
    ),
    Meaning(
        Reason.LOST_BEFORE_OPEN,
        (Phase.BLOCKED,),
        Health.PERSON,
        "The majority ended before the operator saw the service open: if it never was, there is nothing to recover.",
        "delete the network and create it again: what its volumes hold is read then, and you decide about them",
    ),
    Meaning(
        Reason.RECOVERY_DISABLED,
        (Phase.BLOCKED,),
        Health.PERSON,
        "The quorum is lost for good and `spec.recovery.mode` is Disabled.",
        "set the mode to Automatic or Manual; or decide: start one recovery, by the command in `nextStep`",
    ),
    Meaning(
        Reason.RECOVERY_PAUSED,
        (Phase.BLOCKED,),
        Health.PERSON,
        "A person has ended the attempt; none follows by itself.",
        "decide: resume, by the command in `nextStep`",
    ),
    Meaning(
        Reason.VOLUMES_TAKEN,
        (Phase.BLOCKED,),
        Health.PERSON,
        "The majority is lost, and every claim that could be recovered from is being deleted, is gone, or waits for "
        "its volume. No recovery is begun that could start nothing.",
        "what `nextStep` says: keep the volumes (`Retain`), and give the claims theirs again",
    ),
    Meaning(
        Reason.NOTHING_RECOVERED,
        (Phase.BLOCKED,),
        Health.PERSON,
        "No candidate has recovered anything that could be chosen.",
        "bring back a volume or a machine; or decide: abort",
    ),
    Meaning(
        Reason.APPROVAL_REQUIRED,
        (Phase.BLOCKED,),
        Health.PERSON,
        "Committed transactions may be missing from what was recovered, or the mode is Manual; "
        "`status.attempt.possibleLoss` says what may be missing.",
        "bring back what is missing, or decide: approve, by the command in `nextStep`",
    ),
    Meaning(
        Reason.MAY_HAVE_OPENED,
        (Phase.BLOCKED,),
        Health.PERSON,
        "A service recovered by an earlier attempt may have been opened and used, and its ledger cannot be had.",
        "bring back its volumes, or decide: approve that it is given up",
    ),
    Meaning(
        Reason.DELETED,
        (Phase.DELETING,),
        Health.WORKS,
        "The network is being deleted: its nodes end, its volumes stay.",
        _BY_ITSELF,
    ),
)


MEMBER_MEANINGS: tuple[MemberMeaning, ...] = (
    MemberMeaning(
        MemberReason.USABLE, "The operator proposes what is due; members vote where the constitution says so."
    ),
    MemberMeaning(
        MemberReason.NOT_ASKED,
        "The service has not said yet whether it knows the member: no primary is seen, or a recovery is under way.",
        _BY_ITSELF,
    ),
    MemberMeaning(
        MemberReason.NOT_ACTIVE,
        "The member is in the consortium and has not acknowledged the service's state; the operator does that for it.",
        _BY_ITSELF,
    ),
    MemberMeaning(
        MemberReason.SECRET_FORBIDDEN,
        "The operator may not read the Secret.",
        "add its namespace and name to the chart value `operatorMembers`",
    ),
    MemberMeaning(
        MemberReason.SECRET_MISSING,
        "The Secret does not exist.",
        "create it: `kubectl create secret tls NAME --cert FILE --key FILE`",
    ),
    MemberMeaning(
        MemberReason.SECRET_UNUSABLE,
        "The Secret holds no certificate with its key; the message says what is wrong.",
        "correct it, as the message says",
    ),
    MemberMeaning(
        MemberReason.NOT_A_MEMBER,
        "The service knows no member with this certificate.",
        "the members add it: propose and vote `set_member` without an encryption key",
    ),
    MemberMeaning(
        MemberReason.RECOVERY_MEMBER,
        "The member has an encryption key, so that it takes part in recoveries. The operator signs nothing in the name "
        "of one who holds a recovery share.",
        "give the operator a member of its own, without an encryption key",
    ),
    MemberMeaning(
        MemberReason.REFUSED,
        "CCF has refused what the operator signed, in most cases because of the constitution; the message has CCF's "
        "words. It is tried again, later each time, and the members are asked meanwhile.",
        "change the constitution (how-to/governance.md), or take `operatorMember` out of the spec",
    ),
)


def known(reason: str, otherwise: Reason) -> Reason:
    """A reason that was read from a status, which another version of the operator may have written."""
    try:
        return Reason(reason)
    except ValueError:
        return otherwise


def health_of(phase: Phase, reason: str) -> Health:
    """How a network with this phase and reason is judged; what is not in the table, by its phase alone."""
    for meaning in MEANINGS:
        if meaning.reason.value == reason and phase in meaning.phases:
            return meaning.health
    return _BY_PHASE.get(phase, Health.WORKS)


_BY_PHASE = {
    Phase.AWAITING_OPEN: Health.MEMBERS,
    Phase.RUNNING: Health.SERVES,
    Phase.BLOCKED: Health.PERSON,
}
