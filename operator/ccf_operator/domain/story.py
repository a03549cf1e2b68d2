"""The status in words: phase, reason, message, and what a person must do next."""

from __future__ import annotations

from dataclasses import dataclass

from ccf_operator.api.spec import RecoveryMode
from ccf_operator.api.status import Attempt, AttemptPhase, Command, NodeRecord, Phase, Verdict
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.joining import service_status
from ccf_operator.domain.service import ServiceView
from ccf_operator.domain.topology import Governance, foreign_claims
from ccf_operator.render import names


@dataclass(frozen=True)
class Story:
    """Where a network is, why, and the next step for a person (empty: none)."""

    phase: Phase
    reason: str
    message: str
    next_step: str = ""


def tell(draft: Draft, view: ServiceView, recovering: ServiceView | None, governance: Governance) -> Story:
    """The story of what has been decided on this look."""
    return (
        _obstacle(draft)
        or (_recovering(draft, draft.status.attempt, recovering) if draft.status.attempt is not None else None)
        or (_created(draft) if draft.status.service.opened_at is None else None)
        or _open(draft, governance)
    )


def _obstacle(draft: Draft) -> Story | None:
    seen = draft.seen
    if seen.name_taken:
        taken = ", ".join(seen.name_taken)
        return Story(
            Phase.BLOCKED,
            "NameTaken",
            f"objects of these names exist and belong to someone else: {taken}",
            f"delete or rename {taken}, or give the network another name",
        )
    if draft.status.nodes or draft.status.service.public_key is not None:
        return None
    if claims := foreign_claims(draft):
        listed = " ".join(claims)
        return Story(
            Phase.BLOCKED,
            "VolumesFound",
            f"volumes of an earlier network of this name exist ({', '.join(claims)}); no new service is started over "
            "ledgers that may hold committed transactions",
            "if they are not needed: "
            f"kubectl -n {seen.namespace} label pvc {listed} ccf.dev/network- (keeps them) or delete them",
        )
    if seen.inputs.problems:
        return Story(
            Phase.CREATING,
            "InputsMissing",
            "; ".join(seen.inputs.problems),
            "create or correct what the spec refers to; the operator looks again by itself",
        )
    return None


def _created(draft: Draft) -> Story:
    status = draft.status
    starts = [record for record in status.nodes if record.command is Command.START]
    if status.service.public_key is None:
        last = starts[-1] if starts else None
        if last is not None and last.ended is not None:
            return Story(
                Phase.BLOCKED,
                "StartFailed",
                f"{last.name} ended before it had made a service{_how(last)}",
                "correct the spec (image, command, members, constitution): the operator then starts anew",
            )
        return Story(Phase.CREATING, "Starting", _waits_for(draft, last))
    if status.quorum.verdict is Verdict.LOST:
        return Story(
            Phase.BLOCKED,
            "LostBeforeOpen",
            "the majority ended before the members opened the service: there are no recovery shares and nothing to "
            "recover",
            f"delete the network, its volumes too, and create it again: kubectl -n {draft.seen.namespace} delete ccf "
            f"{draft.seen.name}",
        )
    joined = sum(1 for record in draft.alive() if record.joined_at is not None)
    if joined < draft.seen.spec.nodes:
        waiting = next((r for r in draft.alive() if r.joined_at is None and r.stop is None), None)
        return Story(
            Phase.CREATING,
            "Joining",
            f"{joined} of {draft.seen.spec.nodes} nodes have joined; {_waits_for(draft, waiting)}",
        )
    return Story(
        Phase.AWAITING_OPEN,
        "AwaitingMembers",
        "the service runs and waits for its members to open it",
        "members: acknowledge the state digest, then propose and vote transition_service_to_open with "
        f"next_service_identity = service_cert.pem of ConfigMap {names.identity_config_map(draft.seen.name)}",
    )


def _waits_for(draft: Draft, record: NodeRecord | None) -> str:
    if record is None:
        return "waiting for a node to be planned"
    pod = draft.pod(record)
    if pod is None:
        return f"{record.name} is being created"
    if pod.unschedulable:
        return f"{record.name} cannot be placed: {pod.unschedulable}"
    container = pod.ccf if pod.stage.terminated is not None else pod.stage
    if container.waiting_reason not in (None, "PodInitializing", "ContainerCreating"):
        return f"{record.name} waits: {container.waiting_reason} {container.waiting_message or ''}".rstrip()
    return f"{record.name} is starting"


def _how(record: NodeRecord) -> str:
    if record.ended is None:
        return ""
    code = "" if record.ended.exit_code is None else f" with exit code {record.ended.exit_code}"
    return code + (f": {record.ended.message}" if record.ended.message else "")


def _recovering(draft: Draft, attempt: Attempt, recovering: ServiceView | None) -> Story:
    number = f"attempt {attempt.number}"
    if attempt.phase is AttemptPhase.AWAITING_APPROVAL:
        return Story(
            Phase.BLOCKED,
            attempt.reason,
            f"{number}: {attempt.message}",
            "bring back a volume or a machine that is missing: the operator looks again by itself. Nothing is lost by "
            "waiting",
        )
    if attempt.phase is AttemptPhase.FENCING:
        left = [c.volume for c in attempt.candidates if c.node is None and c.result is None]
        return Story(Phase.RECOVERING, "Fencing", f"{number}: making sure that nothing writes to {', '.join(left)}")
    if attempt.phase is AttemptPhase.RECOVERING:
        done = sum(c.result is not None for c in attempt.candidates)
        return Story(
            Phase.RECOVERING, "Candidates", f"{number}: {done} of {len(attempt.candidates)} candidates have a result"
        )
    assert attempt.winner is not None
    winner = attempt.winner
    if attempt.phase is AttemptPhase.JOINING:
        return Story(
            Phase.RECOVERING,
            "Joining",
            f"{number}: {winner.volume} with {winner.tx_id} was chosen; nodes are joining it",
        )
    return _awaiting_members(draft, attempt, recovering)


def _awaiting_members(draft: Draft, attempt: Attempt, recovering: ServiceView | None) -> Story:
    assert attempt.winner is not None
    winner = attempt.winner
    status = service_status(recovering) if recovering is not None else None
    through = recovering.primary if recovering is not None and recovering.primary is not None else winner.node
    where = f"{through}.{names.nodes_service(draft.seen.name)}.{draft.seen.namespace}"
    if status == "WaitingForRecoveryShares":
        return Story(
            Phase.AWAITING_MEMBERS,
            "RecoveryShares",
            "the members have accepted the recovered service; their recovery shares are needed to decrypt its ledger",
            f"recovery members: submit recovery shares at {where}",
        )
    return Story(
        Phase.AWAITING_MEMBERS,
        "AcceptService",
        f"recovered {winner.tx_id}; the members must accept the new service",
        "members: propose and vote transition_service_to_open with next_service_identity = the certificate in "
        f"/node/network and previous_service_identity = the one in /node/service/previous_identity, at {where}; then "
        "submit recovery shares",
    )


def _open(draft: Draft, governance: Governance) -> Story:
    status = draft.status
    verdict, message = status.quorum.verdict, status.quorum.message
    if verdict is Verdict.LOST and draft.seen.spec.recovery.mode is RecoveryMode.DISABLED:
        return Story(
            Phase.BLOCKED,
            "RecoveryDisabled",
            f"quorum is lost for good ({message}) and spec.recovery.mode is Disabled",
            f"kubectl -n {draft.seen.namespace} patch ccf {draft.seen.name} --type merge "
            """-p '{"spec":{"recovery":{"mode":"Automatic"}}}'""",
        )
    if verdict in (Verdict.SUSPECTED, Verdict.LOST):
        return Story(
            Phase.DEGRADED,
            "QuorumSuspected",
            message,
            "find out whether the silent nodes' machines still run; for one that is down for good: kubectl taint node "
            "NAME node.kubernetes.io/out-of-service=nodeshutdown:NoExecute, or delete the Kubernetes Node",
        )
    ended = _ended_members(draft)
    if ended:
        return Story(Phase.DEGRADED, "NodesEnded", f"{', '.join(ended)} ended; quorum holds", ask(draft, governance))
    if verdict is Verdict.DEGRADED:
        return Story(Phase.DEGRADED, "NodesSilent", message)
    if status.quorum.unseen_since is not None:
        return Story(status.phase, status.reason, status.message, status.next_step)
    return Story(Phase.RUNNING, "Running", f"the service is open; {message}", ask(draft, governance))


def _ended_members(draft: Draft) -> list[str]:
    nodes = draft.status.configuration.nodes if draft.status.configuration else []
    return [
        record.name for node in nodes if (record := draft.by_node_id(node)) is not None and record.ended is not None
    ]


def ask(draft: Draft, governance: Governance) -> str:
    """What members should propose about nodes, in a sentence; empty if nothing."""
    actions = [
        *(f"transition_node_to_trusted {r.node_id} ({r.name})" for r in governance.trust),
        *(f"remove_node {node} ({draft.title(node)})" for node in governance.remove),
    ]
    if not actions:
        return ""
    together = " in one proposal" if len(actions) > 1 else ""
    return f"members: propose and vote{together}: {'; '.join(actions)}"
