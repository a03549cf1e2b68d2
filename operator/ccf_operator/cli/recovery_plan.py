"""What the operator does about a loss, and why; what may be missing; what a person can decide. Nothing is done here."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from ccf_operator.api.status import Attempt, AttemptPhase, Found, QuorumEvidence, Start, Verdict
from ccf_operator.cli.advice import about_silent_machines
from ccf_operator.cli.attempt_view import details, how_far
from ccf_operator.cli.network import Network
from ccf_operator.cli.output import Commands, Rows, marked, titled
from ccf_operator.cli.words import by_number, sentence, shorten
from ccf_operator.domain.choice import best_of, recovered
from ccf_operator.domain.quorum import deciding_minority
from ccf_operator.domain.reasons import Reason


@dataclass(frozen=True)
class RecoveryPlan:
    """In sentences: what happens now, why, what may be missing; and the commands that are open to a person."""

    now: str
    why: tuple[str, ...]
    possible_loss: tuple[str, ...] = ()
    choices: tuple[tuple[str, str], ...] = ()


def plan(network: Network, flags: Sequence[str] = ()) -> RecoveryPlan:
    """The plan for what is known now."""
    status = network.status

    def command(*words: str) -> str:
        return shlex.join(["kubectl", "ccf", "recovery", *words, network.name, *flags])

    def about(action: str, volume: str) -> str:
        return shlex.join(["kubectl", "ccf", "recovery", action, network.name, volume, *flags])

    if status.outdated is not None:
        found = status.found
        return RecoveryPlan(
            "Nothing: the status is older than what was found, and nothing is decided from it. "
            f"{sentence(status.next_step)}.",
            tuple(f"{one.where}: {one.what}" for one in status.outdated.evidence),
            (),
            _about_found(found, command) if found is not None and found.token is not None else (),
        )
    if status.paused is not None:
        reason = f" ({status.paused.reason})" if status.paused.reason else ""
        return RecoveryPlan(
            "Nothing: recovery is paused.",
            (f"attempt {status.paused.attempt} was ended by {status.paused.decision}{reason}",),
            (),
            ((command("resume"), "lets a new attempt begin"),),
        )
    if status.found is not None:
        decidable = status.found.token is not None
        return RecoveryPlan(
            "Nothing: volumes of an earlier network of this name were found, and no new service is started over "
            f"ledgers that may be needed.{'' if decidable else f' {sentence(status.next_step)}.'}",
            tuple(f"{volume.name}: {volume.shows}" for volume in status.found.volumes),
            (),
            _about_found(status.found, command) if decidable else (),
        )
    if status.start is not None:
        return _started(network, status.start, command("abort"))
    if status.attempt is None:
        return _without_attempt(network, command("start"), flags)
    attempt = status.attempt
    abort = (command("abort"), "ends the attempt; ledgers stay")
    if attempt.reason == Reason.TWO_SERVICES and (going_on := attempt.winner or best_of(attempt)) is not None:
        return RecoveryPlan(
            f"The operator waits: {shorten(attempt.message)}. Only one can go on, and what the other has committed is "
            "given up. Find out which of them clients have used since.",
            _reasons(attempt),
            tuple(attempt.possible_loss),
            (
                (command("approve"), f"goes on with the recovered one ({going_on.tx_id}), and ends the other"),
                (command("abort"), "goes on with the other, and removes the recovered one"),
            ),
        )
    if attempt.winner is not None:
        return RecoveryPlan(
            f"The network goes on from {attempt.winner.volume} with {attempt.winner.tx_id}; "
            f"{shorten(status.message) or 'nodes are joining'}",
            _reasons(attempt),
            tuple(attempt.winner.approved_loss),
            (abort,),
        )
    left_out = [(about("exclude", c.volume), f"leaves {c.volume} out") for c in attempt.candidates if c.result is None][
        :1
    ]
    if attempt.phase is AttemptPhase.AWAITING_APPROVAL:
        ranking = recovered(attempt.candidates)
        best = next((c for c in ranking if c.volume == attempt.pinned), ranking[0] if ranking else None)
        if best is None:
            return RecoveryPlan(
                "Nothing can be recovered from what is there. Bring back a volume or a machine that is missing.",
                _reasons(attempt),
                tuple(attempt.possible_loss),
                (abort,),
            )
        if attempt.reason == "MayHaveOpened":
            return RecoveryPlan(
                f"The operator waits: the members may have opened the service that attempt {attempt.unsettled} made, "
                "and the ledgers that are there do not tell. With an approval what it may have committed is given up, "
                "and the service before it is recovered.",
                _reasons(attempt),
                tuple(attempt.possible_loss),
                ((command("approve"), "gives up what that service may have committed"), abort),
            )
        others = [(about("pin", c.volume), f"takes {c.tx_id} instead") for c in ranking if c is not best]
        return RecoveryPlan(
            f"The operator waits. With an approval it recovers {best.volume} with {best.tx_id}. Without one it goes on "
            "by itself as soon as enough of the missing volumes or machines come back; waiting loses nothing.",
            _reasons(attempt),
            tuple(attempt.possible_loss),
            ((command("approve"), f"recovers {best.tx_id}"), *others, abort),
        )
    done = sum(c.result is not None for c in attempt.candidates)
    return RecoveryPlan(
        f"{done} of {len(attempt.candidates)} candidates have a result. When all have one, or their time is up, the "
        "greatest TxID is chosen, view first, if nothing that was committed can be missing from it.",
        _reasons(attempt),
        tuple(attempt.possible_loss),
        (*left_out, abort),
    )


def _about_found(found: Found, command: Callable[..., str]) -> tuple[tuple[str, str], ...]:
    chosen = [
        (command("adopt", "--volume", volume), f"recovers the service that {volume} holds")
        for volume in found.to_choose_from
    ]
    return (
        *(chosen or [(command("adopt"), "recovers the earlier network from them")]),
        (command("disown"), "leaves them alone for ever and starts a new service"),
    )


def _reasons(attempt: Attempt) -> tuple[str, ...]:
    count = len(attempt.configuration)
    reasons = [*_seen(attempt.evidence)]
    need = deciding_minority(count)
    reasons.append(f"nothing committed is missing if {need} of the {count} nodes' ledgers are whole")
    if attempt.base_high_water_mark:
        reasons.append(f"{attempt.base_high_water_mark} was seen committed before the loss")
    if attempt.pinned:
        reasons.append(f"a person has chosen {attempt.pinned}")
    if attempt.excluded:
        reasons.append(f"a person has left out {', '.join(attempt.excluded)}")
    return tuple([*reasons, *(f"fork: {fork}" for fork in attempt.forks)])


def _seen(evidence: Sequence[QuorumEvidence]) -> tuple[str, ...]:
    return tuple(
        f"{one.node}: {one.detail or one.seen}" for one in sorted(evidence, key=lambda one: by_number(one.node))
    )


def _started(network: Network, start: Start, abort: str) -> RecoveryPlan:
    reason = f" ({start.reason})" if start.reason else ""
    why = (f"{start.decision} has started it{reason}",)
    if start.ending_since is None:
        now = f"The service gets no new clients; then its nodes are ended, and attempt {start.attempt} begins."
        return RecoveryPlan(now, why, (), ((abort, "calls it off; nothing has been ended yet"),))
    left = ", ".join(record.name for record in network.status.nodes if record.ended is None)
    return RecoveryPlan(
        f"The nodes are being ended. Attempt {start.attempt} begins once so many have provably ended that no quorum "
        f"can form again; then it can be aborted. Not ended yet: {left or 'none'}.",
        why,
    )


def _without_attempt(network: Network, start: str, flags: Sequence[str]) -> RecoveryPlan:
    status = network.status
    evidence = _seen(status.quorum.evidence)
    mode = str((network.spec.get("recovery") or {}).get("mode", "Automatic"))
    if status.service.opened_at is None:
        return RecoveryPlan("Nothing: the service has never been open, so there is nothing to recover.", evidence)
    if status.quorum.verdict is Verdict.LOST and mode == "Disabled":
        return RecoveryPlan(
            "Nothing: spec.recovery.mode is Disabled, so that no recovery begins by itself.",
            evidence,
            (),
            ((start, "recovers the service once; the mode stays"),),
        )
    if status.quorum.verdict is Verdict.LOST:
        then = "then waits for approval" if mode == "Manual" else "then chooses the best by itself, if that is safe"
        return RecoveryPlan(f"The operator begins a recovery of every surviving volume, {then}.", evidence)
    if status.quorum.verdict is Verdict.SUSPECTED:
        now = "The operator waits for the quorum to come back, or for proof that it cannot: silence proves nothing."
        if status.reason == Reason.OPERATOR_ISOLATED:
            return RecoveryPlan(now, (status.message, *evidence))
        ends = (start, "if you cannot wait: ends all nodes, recovers what they leave")
        return RecoveryPlan(now, evidence, (), (*about_silent_machines(network, flags), ends))
    return RecoveryPlan("Nothing: the quorum holds.", evidence)


def what_a_start_does(network: Network) -> RenderableType:
    """What follows if a person starts a recovery now, for people."""
    status = network.status
    lost = status.quorum.verdict is Verdict.LOST
    running = [record.name for record in status.nodes if record.ended is None]
    count = len(status.configuration.nodes) if status.configuration is not None else len(running)
    ends = f"ends {', '.join(running)}: the service stops for everybody" if running and not lost else ""
    lines = (
        ends,
        f"recovers the service from its volumes; nothing committed is missing if {deciding_minority(count)} of the "
        f"{count} nodes' ledgers are whole, else you are asked",
        "the members must then accept the recovered service and submit recovery shares: without them it stays closed",
        "clients need the new service certificate",
    )
    return titled("What starting a recovery does", *(marked("-", line) for line in lines if line))


def render(network: Network, made: RecoveryPlan, now: datetime) -> RenderableType:
    """The plan for people."""
    parts: list[RenderableType] = [titled("What the operator does now", Text(made.now))]
    attempt = network.status.attempt
    if attempt is not None:
        parts.append(
            titled(f"Candidates of attempt {attempt.number}, best first", _ranking(network.name, attempt, now))
        )
    if made.possible_loss:
        lines = [marked("✗", shorten(line), "bad") for line in made.possible_loss]
        parts.append(titled("What may be missing", *lines))
    elif attempt is not None and _is_judged(attempt):
        parts.append(titled("What may be missing", Text.assemble(("✓ ", "good"), "nothing that was committed")))
    if made.why:
        parts.append(titled("Why", *(marked("-", shorten(line)) for line in made.why)))
    if made.choices:
        parts.append(titled("What you can decide", Commands(made.choices)))
    return Group(*(line for part in parts for line in (part, "")))


def _is_judged(attempt: Attempt) -> bool:
    """Whether all that the candidates gave has been weighed, so that an empty possible loss says something."""
    waits = attempt.phase is AttemptPhase.AWAITING_APPROVAL and bool(recovered(attempt.candidates))
    return attempt.winner is not None or waits


def _ranking(network: str, attempt: Attempt, now: datetime) -> RenderableType:
    ranking = recovered(attempt.candidates)
    every = [*ranking, *(c for c in attempt.candidates if c not in ranking)]
    rows = Rows("volume", "result", "TxID", "survey", network=network)
    for candidate in every:
        survey = candidate.survey
        seen = "–" if survey is None else f"{survey.last_signed or 'empty'}{'' if survey.sound else ', damaged'}"
        result = candidate.result.value if candidate.result else how_far(candidate, now)
        rows.add(candidate.volume, result.rstrip(), candidate.tx_id or "–", seen)
    return Group(rows, *details(every))
