"""From one look at a network to what should be true of its status and what to do: the whole decision, pure."""

from __future__ import annotations

from ccf_operator.api.status import Command, Phase
from ccf_operator.domain import attempts, recovery, starting
from ccf_operator.domain.adoption import has_begun, keep_found, release_predecessors
from ccf_operator.domain.conditions import keep_conditions
from ccf_operator.domain.decisions import hear
from ccf_operator.domain.deletion import take_down
from ccf_operator.domain.disruption import want_budgets
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.edited import (
    correct_configuration,
    correct_high_water_mark,
    set_aside_what_is_of_nothing,
    take_back_ends,
    take_back_stops,
)
from ccf_operator.domain.effects import ApplyIdentity, ApplyServices
from ccf_operator.domain.facts import want_facts
from ccf_operator.domain.members import keep_governance
from ccf_operator.domain.nodes import forget_released, keep_records, serves, want_labels, want_pods
from ccf_operator.domain.observation import Observation
from ccf_operator.domain.obstacle_providers import PROVIDERS
from ccf_operator.domain.obstacles import collect, keep_obstacles, next_step, tell_attempt, with_obstacles
from ccf_operator.domain.outdated import keep_outdated
from ccf_operator.domain.overlap import keep_overlap, keep_previous
from ccf_operator.domain.ownership import want_owned
from ccf_operator.domain.pace import BUSY, wake_after
from ccf_operator.domain.pending_events import publication, still_pending
from ccf_operator.domain.plan import Plan
from ccf_operator.domain.proposals import act_as_member
from ccf_operator.domain.reclaiming import keep_claims, want_claims
from ccf_operator.domain.resumption import take_up
from ccf_operator.domain.service import (
    ServiceView,
    keep_configuration,
    keep_high_water_mark,
    keep_lineages,
    keep_service,
    view_own_service,
)
from ccf_operator.domain.story import Story, beside, tell, tell_outdated
from ccf_operator.domain.stranded import keep_stranded
from ccf_operator.domain.taken import tell_of_taking, what_is_taken
from ccf_operator.domain.topology import (
    Governance,
    begin,
    keep_fitness,
    meet_service,
    retry_start,
    want_nodes,
)
from ccf_operator.domain.unregistered import keep_unregistered
from ccf_operator.domain.unstarted import stop_unstarted
from ccf_operator.domain.verdict import judge_base_loss, keep_verdict
from ccf_operator.render import labels


def decide(seen: Observation) -> Plan:
    """What should be true of the status, and what to do once it is written.

    The observation carries the persisted status: nothing else is remembered between two looks.
    """
    draft = Draft.of(seen)
    _keep_pending_events(draft)
    if not seen.deleting:
        set_aside_what_is_of_nothing(draft)
        keep_outdated(draft)
        take_up(draft)
        if draft.status.outdated is not None:
            return _wait_for_the_newest(draft)
    take_back_ends(draft)
    keep_records(draft)
    keep_claims(draft)
    tell_of_taking(draft, taken := what_is_taken(draft))
    collect(draft, PROVIDERS)
    if seen.deleting:
        take_down(draft)
        keep_obstacles(draft)
        draft.status.message = with_obstacles(draft.status.message, draft.status.obstacles)
        keep_conditions(draft)
        _summarise(draft)
        return Plan(draft.status, tuple(draft.effects), BUSY)
    hear(draft)
    keep_found(draft)
    if not has_begun(draft):
        _begin(draft)
    elif not seen.name_taken:
        retry_start(draft)
    view, recovering, governance = _run(draft)
    keep_governance(draft, view, recovering)
    act_as_member(draft, view, recovering, governance)
    keep_previous(draft, view)
    keep_overlap(draft)
    starting.keep_token(draft)
    want_owned(draft)
    if not seen.name_taken or draft.status.service.opened_at is not None:
        want_pods(draft)
        want_claims(draft)
        _want_objects(draft)
    want_labels(draft)
    release_predecessors(draft)
    want_facts(draft)
    forget_released(draft, recovering or view)
    keep_obstacles(draft)
    _write_story(draft, beside(tell(draft, view, recovering, governance), taken))
    tell_attempt(draft)
    keep_conditions(draft)
    _summarise(draft)
    return Plan(draft.status, tuple(draft.effects), wake_after(draft))


def _wait_for_the_newest(draft: Draft) -> Plan:
    """Nothing is done on the strength of a status that is out of date, but to find out what the volumes hold."""
    tell_of_taking(draft, taken := what_is_taken(draft))
    collect(draft, PROVIDERS)
    hear(draft)
    keep_found(draft)
    keep_obstacles(draft)
    _write_story(draft, beside(tell_outdated(draft), taken))
    keep_conditions(draft)
    _summarise(draft)
    return Plan(draft.status, tuple(draft.effects), wake_after(draft))


def _keep_pending_events(draft: Draft) -> None:
    """Those of earlier looks; they come before those of this one."""
    draft.status.pending_events = still_pending(draft.status.pending_events, draft.seen.published, draft.now)
    for event in draft.status.pending_events:
        draft.do(publication(event))


def _begin(draft: Draft) -> None:
    seen = draft.seen
    if not (seen.name_taken or seen.inputs.problems or draft.status.found or seen.namespace_terminating):
        begin(draft)


def _run(draft: Draft) -> tuple[ServiceView, ServiceView | None, Governance]:
    meet_service(draft)
    status = draft.status
    view = view_own_service(draft)
    keep_service(draft, view)
    correct_configuration(draft, view)
    status.configuration = keep_configuration(status.configuration, draft, view)
    loss = judge_base_loss(draft, view)
    if status.service.public_key is not None and (status.attempt is None or status.attempt.winner is None):
        keep_verdict(draft, view, loss)
    correct_high_water_mark(draft, view)
    keep_high_water_mark(draft, view)
    take_back_stops(draft, view)
    keep_fitness(draft, view)
    keep_stranded(draft, view, (r for r in draft.own_nodes() if r.command is Command.JOIN))
    keep_unregistered(draft, view, (r for r in draft.own_nodes() if r.command is Command.JOIN))
    keep_lineages(draft)
    stop_unstarted(draft, view)
    recovery.lift_pause(draft, view)
    if recovery.may_begin(draft, loss):
        attempts.begin(draft)
    if status.attempt is not None:
        return view, recovery.conduct(draft, status.attempt, view, loss), Governance()
    if status.start is not None:
        starting.end_nodes(draft, status.start, view)
        return view, None, Governance()
    return view, None, want_nodes(draft, view)


def _want_objects(draft: Draft) -> None:
    if not draft.status.nodes or draft.seen.namespace_terminating:
        return
    draft.do(ApplyServices())
    want_budgets(draft)
    if draft.status.service.certificate is not None:
        draft.do(ApplyIdentity(instead_of=draft.seen.identity))


def _write_story(draft: Draft, story: Story) -> None:
    status = draft.status
    if status.phase is not story.phase or status.phase_since is None:
        status.phase_since = draft.now
        if story.phase in (Phase.AWAITING_OPEN, Phase.RUNNING, Phase.DEGRADED, Phase.BLOCKED):
            warning = story.phase in (Phase.DEGRADED, Phase.BLOCKED)
            draft.report(story.phase.value, f"{story.reason}: {story.message}", warning=warning)
    status.phase, status.reason = story.phase, story.reason.value
    status.message = with_obstacles(story.message, status.obstacles)
    status.next_step = next_step(story.next_step, draft.seen.status.obstacles, status.obstacles, draft.seen.namespace)


def _summarise(draft: Draft) -> None:
    status = draft.status
    status.observed_generation = draft.seen.generation
    status.nodes_total = sum(record.stop is None for record in draft.alive())
    status.ready_nodes = f"{sum(serves(draft, record) for record in status.nodes)}/{draft.seen.spec.nodes}"
    status.selector = labels.selector_of(draft.seen.name)
