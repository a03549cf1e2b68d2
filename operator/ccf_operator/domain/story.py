"""The status in words: phase, reason, message, and what a person must do next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ccf_operator.api.decision import Action
from ccf_operator.api.operator_member_status import AwaitedProposal
from ccf_operator.api.spec import RecoveryMode, seconds
from ccf_operator.api.status import (
    Attempt,
    AttemptPhase,
    Command,
    Found,
    NodeRecord,
    Obstacle,
    Phase,
    Start,
    Verdict,
    Winner,
)
from ccf_operator.domain import silence, suspects
from ccf_operator.domain.apart import apart
from ccf_operator.domain.attempts import unfinished_start
from ccf_operator.domain.awaiting import Awaited, progress, what_is_awaited
from ccf_operator.domain.certificates import expiring
from ccf_operator.domain.doors import decide_by
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.ends import FINAL_PHASES, may_live
from ccf_operator.domain.exploration import may_still_run
from ccf_operator.domain.fencing import STOPPING
from ccf_operator.domain.isolation import is_isolated, who_is_isolated
from ccf_operator.domain.joining import DOUBTED, awaited, joiners, losers
from ccf_operator.domain.members_words import Plugin, shares_so_far, so_far, to_open, to_submit
from ccf_operator.domain.network_advice import (
    about_isolation,
    between_nodes,
    lives,
    network_first,
)
from ccf_operator.domain.obstacles import about
from ccf_operator.domain.outdated import evidence_in_words
from ccf_operator.domain.reasons import Reason, known
from ccf_operator.domain.resumption import runs_without_status
from ccf_operator.domain.service import ServiceView
from ccf_operator.domain.suspicion import (
    about_machines,
    about_silence,
    about_suspicion,
    about_the_silent,
    look_first,
    unheard,
    what_is_wrong,
)
from ccf_operator.domain.taken import Taken, in_the_way, must_be_kept_first
from ccf_operator.domain.topology import Governance, first_node, is_tried_again, may_have_served
from ccf_operator.render import labels, names
from ccf_operator.wording import counted


@dataclass(frozen=True)
class Story:
    """Where a network is, why, and the next step for a person (empty: none)."""

    phase: Phase
    reason: Reason
    message: str
    next_step: str = ""


def tell(draft: Draft, view: ServiceView, recovering: ServiceView | None, governance: Governance) -> Story:
    """The story of what has been decided on this look."""
    return (
        _obstacle(draft)
        or (_recovering(draft, draft.status.attempt, recovering) if draft.status.attempt is not None else None)
        or (_starting(draft, draft.status.start) if draft.status.start is not None else None)
        or (_created(draft, view) if draft.status.service.opened_at is None else None)
        or _open(draft, view, governance)
    )


def beside(story: Story, taken: Taken | None) -> Story:
    """The story with what stops something from being taken away; who else is asked stays asked, and first."""
    if taken is None or not taken.door or taken.door in story.next_step:
        return story
    return replace(story, next_step=f"{story.next_step} . Also {taken.door}" if story.next_step else taken.door)


def tell_outdated(draft: Draft) -> Story:
    """The story of a status that is older than what was found."""
    outdated, found = draft.status.outdated, draft.status.found
    what = evidence_in_words(outdated.evidence) if outdated is not None else ""
    shown = f". {_shown(found)}" if found is not None else ""
    put_back = (
        "if you have a newer copy of the status, put it back, and the network goes on from it: "
        f"kubectl -n {draft.seen.namespace} replace --subresource=status -f FILE"
    )
    return Story(
        Phase.BLOCKED,
        Reason.STATUS_OUTDATED,
        f"the status is older than what was found, so that nothing is decided from it: {what}{shown}",
        f"{put_back} . {_about_found(draft, found) if found is not None else _about_running(draft)}",
    )


def _about_running(draft: Draft) -> str:
    if running := may_still_run(draft):
        return _end_what_runs(draft, running)
    return "Else correct what was found, if it is wrong; the operator looks again by itself"


def _obstacle(draft: Draft) -> Story | None:
    seen = draft.seen
    if seen.name_taken and draft.status.service.opened_at is None:
        return _name_taken(draft)
    if draft.status.service.public_key is not None:
        return None
    if draft.status.found is not None:
        return _volumes_found(draft, draft.status.found)
    first = first_node(draft)
    if seen.inputs.problems and (first is None or first.pod_uid is None or first.ended is not None):
        return Story(
            Phase.CREATING,
            Reason.INPUTS_MISSING,
            "; ".join(seen.inputs.problems),
            "create or correct what the spec refers to; the operator looks again by itself",
        )
    return None


def _name_taken(draft: Draft) -> Story:
    """Nobody else's objects are touched; what is left of an earlier network, and bears no UID, looks the same."""
    taken = ", ".join(draft.seen.name_taken)
    paths = " ".join(one.lower().replace(" ", "/") for one in draft.seen.name_taken)
    mark = f"{labels.NETWORK_UID}={draft.seen.uid}"
    ours = f"kubectl annotate {paths} {mark} --overwrite --namespace {draft.seen.namespace}"
    return Story(
        Phase.BLOCKED,
        Reason.NAME_TAKEN,
        f"objects of these names exist and belong to someone else: {taken}",
        f"delete or rename {taken}, or give the network another name; what the operator has made for an earlier "
        f"network of this name can be handed over: {ours}",
    )


def _volumes_found(draft: Draft, found: Found) -> Story:
    shown = _shown(found)
    what = (
        "volumes of an earlier network of this name exist; no new service is started over ledgers that may hold "
        "committed transactions"
    )
    if runs_without_status(draft):
        what = (
            "the status of this network is gone while nodes of it run. They are left alone, and taken up again by "
            "themselves once they show one service that is open on a quorum, and no other"
        )
    return Story(Phase.BLOCKED, Reason.VOLUMES_FOUND, f"{what}. {shown}", _about_found(draft, found))


def _shown(found: Found) -> str:
    return "; ".join(f"{volume.name}: {volume.shows}" for volume in found.volumes) or "none of them is there any more"


def _end_what_runs(draft: Draft, running: list[str]) -> str:
    unreported = [name for name in running if _is_never_reported(draft, name)]
    told = [name for name in running if name not in unreported]
    ends = [f"end what may still run of it: kubectl -n {draft.seen.namespace} delete pod {' '.join(told)}"]
    end = " ; ".join([*(ends if told else []), *(_let_go_by_hand(draft, name) for name in unreported)])
    taken_up = runs_without_status(draft) or draft.status.outdated is not None
    if not taken_up:
        return f"{end} ; then the volumes are read"
    return (
        "wait, or have the members open the service if it is not: nodes that serve are taken up by themselves; else "
        f"{end} ; then the volumes are read"
    )


def _is_never_reported(draft: Draft, name: str) -> bool:
    """Whether a pod of no record is being deleted, and its kubelet has given it up without a word of its containers."""
    pod = draft.seen.pods[name]
    return pod.deleting and pod.phase in FINAL_PHASES and not pod.ccf.running and pod.ccf.terminated is None


def _let_go_by_hand(draft: Draft, name: str) -> str:
    where = draft.seen.pods[name].machine or "its machine"
    return (
        f"{name} is over, and whether it ever ran is not reported: look on {where} (crictl ps --name ccf). Only where "
        f"nothing of it runs: kubectl -n {draft.seen.namespace} patch pod {name} --type json "
        """-p '[{"op":"remove","path":"/metadata/finalizers"}]'"""
    )


def _keeps_from_reading(draft: Draft, found: Found) -> list[Obstacle]:
    """What is in the way of the pods that read these volumes."""
    unread = [volume for volume in found.volumes if volume.being_read]
    readers = {names.explorer(draft.seen.name, volume.uid) for volume in unread}
    return about(draft.obstacles, readers | {volume.name for volume in unread})


def _about_found(draft: Draft, found: Found) -> str:
    """What to do about volumes that were found: a decision has to wait until they have been read."""
    if running := may_still_run(draft):
        return _end_what_runs(draft, running)
    if found.token is None:
        if _keeps_from_reading(draft, found):
            return ""  # the advice about that is the next step
        read = sum(not volume.being_read for volume in found.volumes)
        many = counted(len(found.volumes), "volume")
        return f"wait until all is read ({read} of {many} so far); the commands to decide by are told here then"
    adopt = ""
    if found.to_choose_from:
        choices = (
            f"To have the one on {one} recovered: {decide_by(draft.seen, Action.ADOPT, found.token, volume=one)} . "
            for one in found.to_choose_from
        )
        adopt = f"Several services may be meant; find out which of them clients have used last. {''.join(choices)}"
    elif any(volume.service is not None for volume in found.volumes):
        adopt = f"To have that network recovered from them: {decide_by(draft.seen, Action.ADOPT, found.token)} . "
    disown = decide_by(draft.seen, Action.DISOWN, found.token)
    if draft.status.outdated is not None:
        return f"{adopt}To leave those alone for ever that are not on record: {disown}"
    return f"{adopt}To leave them alone for ever and start a new service: {disown}"


def _created(draft: Draft, view: ServiceView) -> Story:
    status = draft.status
    if status.service.public_key is None:
        first = first_node(draft)
        if first is not None and is_tried_again(first):
            return Story(
                Phase.CREATING,
                Reason.START_FAILED,
                f"{first.name} never started{_how(first)}; another takes its place",
                "if it keeps failing, correct the spec or what it refers to",
            )
        if first is not None and first.ended is not None:
            return Story(
                Phase.BLOCKED,
                Reason.START_FAILED,
                f"{first.name} ended before it had made a service{_how(first)}",
                _begin_again(draft)
                if may_have_served(first)
                else "correct the spec or what it refers to: the operator then starts anew. If nothing is wrong with "
                f"it: {_begin_again(draft)}",
            )
        return Story(Phase.CREATING, Reason.STARTING, _waits_for(draft, view, first), about_silence(draft))
    if status.quorum.verdict is Verdict.LOST:
        return Story(
            Phase.BLOCKED,
            Reason.LOST_BEFORE_OPEN,
            "the majority ended, and the operator has not seen the members open the service: if they have not, there "
            "are no recovery shares and nothing to recover",
            _begin_again(draft),
        )
    joined = sum(1 for record in draft.alive() if record.joined_at is not None)
    if status.quorum.verdict is Verdict.SUSPECTED:
        return _isolated(draft, status.phase, status.quorum.message) or _suspected_before_open(draft, view)
    if joined < draft.seen.spec.nodes:
        waiting = next((r for r in draft.alive() if r.joined_at is None and r.stop is None), None)
        so_far_joined = f"{joined} of {draft.seen.spec.nodes} nodes have joined"
        return Story(
            Phase.CREATING,
            Reason.JOINING,
            f"{so_far_joined}; {_waits_for(draft, view, waiting)}{_failures(draft)}",
            about_silence(draft) or (between_nodes(draft) if apart(draft, view, draft.alive()) else ""),
        )
    identity = f"next_service_identity = service_cert.pem of ConfigMap {names.identity_config_map(draft.seen.name)}"
    return Story(
        Phase.AWAITING_OPEN,
        Reason.MEMBERS_MUST_OPEN,
        f"the service runs and waits for its members to open it{so_far(status.governance)}",
        f"members: {to_open(_plugin(draft), status.governance, identity)}",
    )


def _plugin(draft: Draft) -> Plugin:
    return Plugin(draft.seen.name, draft.seen.namespace)


def _begin_again(draft: Draft) -> str:
    """The volumes stay: members may have opened the service, and clients used it, while the operator did not look."""
    return (
        f"kubectl -n {draft.seen.namespace} delete ccf {draft.seen.name}; then create it again: it reads what the "
        "volumes hold, recovers them if the service had been opened after all, and else starts anew, as you decide then"
    )


def _failures(draft: Draft) -> str:
    failures = draft.status.join_failures
    return f"; {failures.count} in a row could not, last {failures.message}" if failures is not None else ""


def _waits_for(draft: Draft, view: ServiceView, record: NodeRecord | None) -> str:
    if record is None:
        return "the next node is planned"
    pod = draft.pod(record)
    if pod is None:
        return f"{record.name} is being created"
    if pod.unschedulable:
        return f"{record.name} cannot be placed: {pod.unschedulable}"
    container = pod.ccf if pod.stage.terminated is not None else pod.stage
    if container.waiting_reason not in (None, "PodInitializing", "ContainerCreating"):
        return f"{record.name} waits: {container.waiting_reason} {container.waiting_message or ''}".rstrip()
    return what_is_wrong(draft, [record], view) or f"{record.name} is starting"


def _how(record: NodeRecord) -> str:
    if record.ended is None:
        return ""
    code = "" if record.ended.exit_code is None else f" with exit code {record.ended.exit_code}"
    return code + (f": {record.ended.message}" if record.ended.message else "")


def _starting(draft: Draft, start: Start) -> Story:
    who = f"attempt {start.attempt}, started by {start.decision}"
    if start.ending_since is None:
        return Story(
            Phase.RECOVERING,
            Reason.ENDING_NODES,
            f"{who}: the service gets no new clients; then its nodes are ended",
            f"to call it off: {decide_by(draft.seen, Action.ABORT, start.token)}",
        )
    left = [record for record in draft.status.nodes if may_live(record)]
    slow = draft.now - start.ending_since > STOPPING
    return Story(
        Phase.RECOVERING,
        Reason.ENDING_NODES,
        f"{who}: it begins when the ends of enough nodes are proven; {', '.join(r.name for r in left)} may still run",
        about_machines(draft, left) if slow else "",
    )


def _recovering(draft: Draft, attempt: Attempt, recovering: ServiceView | None) -> Story:
    number = f"attempt {attempt.number}"
    match attempt.phase:
        case AttemptPhase.AWAITING_APPROVAL:
            return Story(
                Phase.BLOCKED,
                known(attempt.reason, Reason.APPROVAL_REQUIRED),
                f"{number}: {attempt.message}",
                _door(draft, attempt),
            )
        case AttemptPhase.FENCING:
            left = [c.volume for c in attempt.candidates if c.node is None and c.result is None]
            return Story(
                Phase.RECOVERING, Reason.FENCING, f"{number}: making sure that nothing writes to {', '.join(left)}"
            )
        case AttemptPhase.RECOVERING:
            done = sum(c.result is not None for c in attempt.candidates)
            counted = f"{number}: {done} of {len(attempt.candidates)} candidates have a result"
            waits = f"; {attempt.message}" if attempt.message else ""
            wrong = what_is_wrong(draft, _candidates(draft, attempt))
            reason = known(attempt.reason, Reason.CANDIDATES)
            door = _out_of_doubt(draft, attempt) if reason is Reason.LOSS_DOUBTED else about_silence(draft)
            return Story(Phase.RECOVERING, reason, counted + waits + (f"; {wrong}" if wrong else ""), door)
    assert attempt.winner is not None
    chosen = f"{number}: {attempt.winner.volume} with {attempt.winner.tx_id} was chosen"
    if attempt.reason == DOUBTED:
        door = _out_of_doubt(draft, attempt)
        return Story(Phase.RECOVERING, Reason.LOSS_DOUBTED, f"{chosen}; {attempt.message}", door)
    if attempt.reason == Reason.TWO_SERVICES:
        return Story(Phase.BLOCKED, Reason.TWO_SERVICES, f"{chosen}; {attempt.message}", _which(draft, attempt))
    if _is_leaderless(draft, attempt):
        return _leaderless(draft, attempt, attempt.winner)
    if attempt.phase is AttemptPhase.JOINING:
        return _joining(draft, attempt, attempt.winner, chosen)
    if recovering is None or recovering.primary is None:
        return Story(
            Phase.AWAITING_MEMBERS,
            Reason.ELECTING,
            f"{chosen}; its nodes elect a primary; then the members go on with it",
        )
    return _awaiting_members(draft, attempt, attempt.winner, recovering)


def _candidates(draft: Draft, attempt: Attempt) -> list[NodeRecord]:
    """The nodes of its candidates."""
    found = (draft.status.node(candidate.node or "") for candidate in attempt.candidates)
    return [record for record in found if record is not None]


def _door(draft: Draft, attempt: Attempt) -> str:
    """What a person can do about an attempt that waits for one: the network first, where candidates are not heard."""
    unheard_of = any(_lives_unheard(draft, record) for record in _candidates(draft, attempt))
    if unheard_of and is_isolated(draft.seen.operator, draft.now):
        return f"{about_isolation(draft.seen.operator)}. Else, {_decide_about(draft, attempt)}"
    silent = [record for record in silence.told(draft, _candidates(draft, attempt)) if lives(draft, record)]
    first = f"{network_first(draft, silent)}. Or " if silent else ""
    return first + _decide_about(draft, attempt)


def _decide_about(draft: Draft, attempt: Attempt) -> str:
    approve = decide_by(draft.seen, Action.APPROVE, attempt.token)
    if attempt.reason == Reason.APPROVAL_REQUIRED and not attempt.possible_loss:
        return f"to go on: {approve}"
    wait = (
        "bring back a volume or a machine that is missing: the operator looks again by itself, and nothing is lost by "
        "waiting"
    )
    match attempt.reason:
        case Reason.APPROVAL_REQUIRED:
            return f"{wait}. To recover without what may be missing: {approve}"
        case Reason.MAY_HAVE_OPENED:
            return f"{wait}. If that service was never used, or all that it committed may be given up: {approve}"
        case Reason.TWO_SERVICES:
            return _which(draft, attempt)
        case _:
            return f"{wait}. To end this attempt: {decide_by(draft.seen, Action.ABORT, attempt.token)}"


def _out_of_doubt(draft: Draft, attempt: Attempt) -> str:
    if attempt.given_up:
        return f"if it stays so, {about_machines(draft, draft.own_nodes())}"
    end = decide_by(draft.seen, Action.ABORT, attempt.token)
    if alive := [record.name for record in draft.alive() if record.lives is not None]:
        return (
            f"{', '.join(alive)} still runs, whatever was said of its machine: if its service is to go on, take that "
            "back (remove the taint, let its kubelet register). Else end its process where it runs; then end this "
            f"attempt, and another follows after a Resume: {end}"
        )
    return f"if it stays so, end this attempt, and start another where the service does not come back: {end}"


def _which(draft: Draft, attempt: Attempt) -> str:
    keep_new = decide_by(draft.seen, Action.APPROVE, attempt.token)
    keep_old = decide_by(draft.seen, Action.ABORT, attempt.token)
    return (
        "find out which of the two clients have used since. To go on with the recovered one, giving up "
        f"{'; '.join(attempt.possible_loss)}: {keep_new} . To go on with the other, giving up all that the recovered "
        f"one may have committed: {keep_old}"
    )


def _is_leaderless(draft: Draft, attempt: Attempt) -> bool:
    """Whether the recovering network has had no primary for so long that it may stay so."""
    window = timedelta(seconds=seconds(draft.seen.spec.recovery.quorum_loss_window))
    return attempt.leaderless_since is not None and draft.now - attempt.leaderless_since >= window


def _leaderless(draft: Draft, attempt: Attempt, winner: Winner) -> Story:
    living = [r for r in (draft.status.node(winner.node), *joiners(draft, attempt)) if r and may_live(r)]
    said = (
        f"attempt {attempt.number}: {winner.volume} with {winner.tx_id} was chosen, but its network shows no primary "
        f"since {_moment(attempt.leaderless_since)}"
    )
    gone = [record for record in living if draft.pod(record) is None]
    there = [record for record in living if record not in gone]
    delete = f"kubectl -n {draft.seen.namespace} delete pod {' '.join(r.name for r in there)}"
    ends = [*([delete] if there else []), *([about_machines(draft, gone)] if gone else [])]
    end = f"end the nodes that hang, and a new attempt follows: {' ; '.join(ends)}"
    unheard_of = [record for record in living if _lives_unheard(draft, record)]
    door = f"{network_first(draft, unheard_of)}. Only if they hang: {end}" if unheard_of else f"if it stays so, {end}"
    if unclear := suspects.suspects(draft, living):
        door = suspects.what_to_do(draft, unclear)
    return _isolated(draft, Phase.RECOVERING, said) or Story(Phase.RECOVERING, Reason.NO_PRIMARY, said, door)


def _joining(draft: Draft, attempt: Attempt, winner: Winner, chosen: str) -> Story:
    if waiting := [r.name for r in awaited(draft, attempt)]:
        wrong = what_is_wrong(draft, joiners(draft, attempt))
        said = f"{chosen}; {', '.join(waiting)} join it{_failures(draft)}" + (f"; {wrong}" if wrong else "")
        return Story(Phase.RECOVERING, Reason.JOINING, said, about_silence(draft))
    left = [r.name for r in losers(draft, attempt, winner) if r.ended is None]
    if left:
        return Story(
            Phase.RECOVERING,
            Reason.LOSERS_REMAIN,
            f"{chosen}; {', '.join(left)} must have ended before the members are asked, so that no two are offered",
            about_machines(draft, losers(draft, attempt, winner)),
        )
    return Story(Phase.RECOVERING, Reason.JOINING, f"{chosen}; nodes are joining it{_failures(draft)}")


def _awaiting_members(draft: Draft, attempt: Attempt, winner: Winner, recovering: ServiceView) -> Story:
    awaits = what_is_awaited(recovering) or Awaited.ACCEPT_SERVICE
    where = f"{recovering.primary}.{names.nodes_service(draft.seen.name)}.{draft.seen.namespace}"
    message, next_step = _about_members(draft, attempt, winner, recovering, awaits, where)
    return Story(
        Phase.AWAITING_MEMBERS, Reason(awaits.value), message + _who_is_missing(draft, attempt, awaits), next_step
    )


def _who_is_missing(draft: Draft, attempt: Attempt, awaits: Awaited) -> str:
    """What to add where the recovered service has fewer nodes than it should."""
    there = [r for r in draft.alive() if r.attempt == attempt.number and r.stop is None]
    joined = sum(r.joined_at is not None for r in there)
    said = "" if joined >= draft.seen.spec.nodes else f"; {joined} of {draft.seen.spec.nodes} nodes have joined"
    late = [r.name for r in there if r.command is Command.JOIN and r.joined_at is None]
    if late and awaits is not Awaited.ACCEPT_SERVICE:
        said += f"; {', '.join(late)} came too late: members trust such nodes once the service is open"
    if any(one.at <= draft.now for one in expiring(draft)):
        said += "; nobody can join for certificates have run out: condition CertificatesExpiring says how to renew them"
    return said


def _about_members(
    draft: Draft, attempt: Attempt, winner: Winner, recovering: ServiceView, awaits: Awaited, where: str
) -> tuple[str, str]:
    plugin, governance = _plugin(draft), draft.status.governance
    identities = (
        "next_service_identity = the certificate in /node/network and previous_service_identity = the one in "
        f"/node/service/previous_identity, at {where}"
    )
    match awaits:
        case Awaited.ACCEPT_SERVICE:
            return (
                f"recovered {winner.tx_id}; the members must accept the new service{so_far(governance)}; nothing times "
                "out",
                f"members: {to_open(plugin, governance, identities)}; then recovery members: "
                f"{plugin.does('submit-share')}",
            )
        case Awaited.RECOVERY_SHARES:
            return (
                "the members have accepted the recovered service; recovery shares are needed to decrypt its ledger"
                f"{shares_so_far(governance.shares if governance is not None else None)}",
                f"recovery members: {to_submit(plugin, governance)} (submit recovery shares at {where}), again if the "
                "primary has changed since",
            )
        case Awaited.DECRYPTING:
            far = progress(recovering)
            seen = f" (seqno {far.done} of {far.target})" if far is not None else ""
            return (
                "enough recovery shares were submitted; the ledger is being decrypted"
                f"{seen} and the service opens by itself",
                "",
            )
        case Awaited.OPENING:
            return "the ledger is decrypted; the service opens once that has committed", ""
        case Awaited.DEAD_END:
            return (
                "the shares were submitted, but whoever was to open the service has ended: it awaits shares that it "
                f"cannot take any more, since {_moment(attempt.stuck_since)}; if it stays so, a new attempt follows, "
                "for which the members vote and submit shares once more",
                "",
            )


def _moment(when: datetime | None) -> str:
    return f"{when:%H:%M:%S} UTC" if when is not None else "now"


def _open(draft: Draft, view: ServiceView, governance: Governance) -> Story:
    status = draft.status
    verdict, message = status.quorum.verdict, status.quorum.message
    if verdict is Verdict.LOST:
        return _lost(draft, message)
    if verdict is Verdict.SUSPECTED:
        return _isolated(draft, Phase.DEGRADED, message) or Story(
            Phase.DEGRADED, Reason.QUORUM_SUSPECTED, message, about_suspicion(draft, view, _start(draft))
        )
    if status.quorum.unseen_since is not None and status.phase is not Phase.CREATING:
        return Story(status.phase, known(status.reason, Reason.RUNNING), status.message, status.next_step)
    ended = _ended_members(draft)
    if ended:
        return Story(
            Phase.DEGRADED, Reason.NODES_ENDED, f"{', '.join(ended)} ended; quorum holds", ask(draft, governance)
        )
    if verdict is Verdict.DEGRADED:
        door = ". ".join(filter(None, (_about_strangers(draft), about_the_silent(draft, view))))
        return Story(Phase.DEGRADED, Reason.NODES_SILENT, message, door)
    out = suspects.left_out(draft, draft.own_nodes())
    wrong = "; ".join(filter(None, (what_is_wrong(draft, draft.own_nodes()), suspects.said_of_left_out(draft, out))))
    serves = "; ".join(filter(None, ("the service is open", message, wrong, status.service.approved_loss)))
    door = ask(draft, governance) or about_silence(draft) or suspects.replace_one(draft, out, view.primary)
    return Story(Phase.RUNNING, Reason.RUNNING, serves + _failures(draft), door)


def _isolated(draft: Draft, phase: Phase, else_known: str) -> Story | None:
    """The story where it is the operator that is cut off: of the network nothing is known but what was before."""
    operator = draft.seen.operator
    if not is_isolated(operator, draft.now) or not any(_lives_unheard(draft, record) for record in draft.alive()):
        return None
    said = f"{who_is_isolated(operator)}, so that it cannot tell how this one is; {else_known}"
    return Story(phase, Reason.OPERATOR_ISOLATED, said, about_isolation(operator))


def _lives_unheard(draft: Draft, record: NodeRecord) -> bool:
    return draft.answers(record) is None and lives(draft, record)


def _suspected_before_open(draft: Draft, view: ServiceView) -> Story:
    living = [record for record in unheard(draft, view) if lives(draft, record)]
    door = _begin_again(draft)
    if living:
        door = f"{look_first(draft, living)}. Only if that is of no use, and the service was never opened: {door}"
    return Story(draft.status.phase, Reason.QUORUM_SUSPECTED, draft.status.quorum.message, door)


def _about_strangers(draft: Draft) -> str:
    """What to do about members of the service of which no pod is known, as after a loss of the status."""
    nodes = draft.status.configuration.nodes if draft.status.configuration else []
    strangers = [node for node in nodes if draft.by_node_id(node) is None]
    if not strangers:
        return ""
    actions = "; ".join(f"remove_node {node}" for node in strangers)
    return f"{len(strangers)} node(s) of the service have no known pod; if they run nowhere, members propose: {actions}"


def _lost(draft: Draft, message: str) -> Story:
    if draft.seen.spec.recovery.mode is RecoveryMode.DISABLED and unfinished_start(draft) is None:
        return Story(
            Phase.BLOCKED,
            Reason.RECOVERY_DISABLED,
            f"quorum is lost for good ({message}) and spec.recovery.mode is Disabled",
            f"to have it recovered once: {_start(draft)} . To have every loss recovered: "
            f"kubectl -n {draft.seen.namespace} patch ccf {draft.seen.name} --type merge "
            """-p '{"spec":{"recovery":{"mode":"Automatic"}}}'""",
        )
    if (paused := draft.status.paused) is not None:
        why = f": {paused.reason}" if paused.reason else ""
        return Story(
            Phase.BLOCKED,
            Reason.RECOVERY_PAUSED,
            f"quorum is lost for good ({message}); attempt {paused.attempt} was ended by {paused.decision}{why}",
            f"to have it recovered: {decide_by(draft.seen, Action.RESUME, paused.token)}",
        )
    volumes = [volume.name for volume in draft.status.volumes if volume.lineage]
    if (taken := must_be_kept_first(draft, volumes)) is not None:
        return Story(
            Phase.BLOCKED,
            Reason.VOLUMES_TAKEN,
            f"quorum is lost for good ({message}), and no volume is left to recover from: {taken.message}",
            taken.door or _make_way(draft),
        )
    past = draft.status.history[0].message if draft.status.history else message
    return Story(
        Phase.RECOVERING, Reason.BETWEEN_ATTEMPTS, f"quorum is lost for good; a new attempt follows shortly ({past})"
    )


def _make_way(draft: Draft) -> str:
    """What frees claims whose volumes stay, where nodes that can never commit again still use them."""
    if pods := in_the_way(draft):
        return f"to have the claims made anew: kubectl -n {draft.seen.namespace} delete pod {' '.join(pods)}"
    return (
        "wait: the operator makes claims anew and reads their volumes by itself; bring back what else is missing: "
        f"kubectl -n {draft.seen.namespace} get pvc -l {labels.NETWORK}={draft.seen.name}"
    )


def _start(draft: Draft) -> str:
    return decide_by(draft.seen, Action.START, draft.status.recovery_token or "")


def _ended_members(draft: Draft) -> list[str]:
    nodes = draft.status.configuration.nodes if draft.status.configuration else []
    return [
        record.name for node in nodes if (record := draft.by_node_id(node)) is not None and record.ended is not None
    ]


def _about_vote(draft: Draft, proposal: AwaitedProposal) -> str:
    vote = _plugin(draft).does("vote", proposal.id[:8], "yes")
    return (
        f"members: vote for proposal {proposal.id} ({vote}), {counted(proposal.ballots, 'ballot')} in, to "
        f"{'; '.join(proposal.what)}"
    )


def ask(draft: Draft, governance: Governance) -> str:
    """What members should propose about nodes, in a sentence; empty if nothing, or if the operator does it.

    Where the constitution leaves what the operator has proposed to them, they vote.
    """
    own = draft.status.operator_member
    if own is not None and own.usable:
        return _about_vote(draft, own.proposal) if own.proposal is not None else ""
    actions = [
        *(f"transition_node_to_trusted {r.node_id} ({r.name})" for r in governance.trust),
        *(f"remove_node {node} ({draft.title(node)})" for node in governance.remove),
    ]
    if not actions:
        return ""
    together = " in one proposal" if len(actions) > 1 else ""
    return f"members: propose and vote{together}: {'; '.join(actions)}"
