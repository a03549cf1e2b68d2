"""What people are told where nodes are not heard, by what else is known of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.decision import Action, CCFRecoveryDecisionSpec
from ccf_operator.api.status import (
    AttemptPhase,
    Command,
    NetworkStatus,
    NodeRecord,
    QuorumStatus,
    Silence,
    SilenceCause,
    Verdict,
)
from ccf_operator.ccf.answers import NoAnswer, NodeAnswers
from ccf_operator.domain.decide import decide
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.network_advice import against_ending, lives, network_first
from ccf_operator.domain.observation import ContainerView, DecisionView, MachineView, OperatorView, PodView
from ccf_operator.domain.service import view_service
from ccf_operator.domain.story import Story, tell
from ccf_operator.domain.topology import Governance
from ccf_operator.render import labels
from unit.domain.given import (
    NEW,
    OLD,
    answers,
    at,
    attempt,
    candidate,
    claim,
    config,
    configuration,
    crowned,
    draft,
    end,
    ended_container,
    machine,
    observation,
    pod,
    quorum,
    record,
    service,
    status,
    view,
)

NAMES = "abc"
TIMED_OUT = NodeAnswers(silence=NoAnswer(SilenceCause.TIMED_OUT, "connection timed out"))
READY = {"m1": machine()}
DARK = {"m1": machine(ready=False)}
BEHIND = {labels.TRAFFIC: "true"}
ENDS = ("kubectl taint", "delete pod", "delete ccf", "delete the Kubernetes Node", '"Start"')
"""What ends a node, or has one ended."""


def silence(ip: str = "10.0.0.1") -> Silence:
    return Silence(since=at(0), cause=SilenceCause.TIMED_OUT, address=f"{ip}:8443", words="connection timed out")


def silent_service(**fields: Any) -> NetworkStatus:
    nodes = [record(n, silence=silence(), command=Command.START if n == "a" else Command.JOIN) for n in NAMES]
    known: dict[str, Any] = {
        "configuration": configuration(*NAMES),
        "quorum": QuorumStatus(verdict=Verdict.SUSPECTED, unseen_since=at(0), message="no quorum seen"),
    }
    return status(*nodes, **{**known, **fields})


def pods(**fields: Any) -> dict[str, PodView]:
    return {name: pod(name, labels=BEHIND, **fields) for name in NAMES}


def told(of: NetworkStatus, **seen: Any) -> Story:
    work = draft(of, **{"after": 60, "pods": pods(), **seen})
    winner = of.attempt.winner if of.attempt is not None else None
    recovering = view_service(work, winner.public_key, work.status.nodes) if winner is not None else None
    return tell(work, view(work), recovering, Governance())


def first_that_ends(text: str) -> int:
    return min((text.index(one) for one in ENDS if one in text), default=len(text))


# Who lives by all that is known without asking it


@pytest.mark.parametrize(
    ("seen", "machines", "alive"),
    [
        (pod("a"), READY, True),
        (pod("a"), DARK, False),
        (pod("a"), {"m1": machine(out_of_service=True)}, False),
        (pod("a"), {}, False),
        (pod("a", ready=True), None, True),
        (pod("a", ready=False), None, False),
        (pod("a", ccf=ContainerView()), READY, False),
        (pod("a", ccf=ended_container()), READY, False),
        (pod("a", uid="another"), READY, False),
        (None, READY, False),
    ],
)
def test_who_lives(seen: PodView | None, machines: dict[str, MachineView] | None, alive: bool) -> None:
    work = draft(status(record("a")), pods={} if seen is None else {"a": seen}, machines=machines)
    assert lives(work, work.status.nodes[0]) is alive


@pytest.mark.parametrize(
    ("behind", "ready", "words"),
    [
        (
            NAMES,
            NAMES,
            "3 of 3 containers are reported running on Ready machines (m1), and 3 of 3 endpoints of ",
        ),
        (NAMES, "a", "and 1 of 3 endpoints of Service bank are ready"),
        ("", "", "3 of 3 containers are reported running on Ready machines (m1)"),
    ],
)
def test_what_speaks_against_ending(behind: str, ready: str, words: str) -> None:
    seen = {n: pod(n, labels=BEHIND if n in behind else {}, ready=n in ready) for n in NAMES}
    work = draft(silent_service(), pods=seen)
    said = against_ending(work, work.status.nodes)
    assert words in said
    assert ("endpoint" in said) == bool(behind)


# The matrix


@pytest.mark.parametrize("others_reached", [True, False])
@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize("machine_ready", [True, False])
@pytest.mark.parametrize("running", [True, False])
def test_advice_by_what_is_known(running: bool, machine_ready: bool, ready: bool, others_reached: bool) -> None:
    seen = pods(ready=ready) if running else {}
    operator = OperatorView(pods=6, networks=2, unreached_since=None if others_reached else at(0))
    story = told(silent_service(), pods=seen, machines=READY if machine_ready else DARK, operator=operator)
    if not others_reached and running and machine_ready:
        assert story.reason == "OperatorIsolated"
        assert first_that_ends(story.next_step) == len(story.next_step), story.next_step
        return
    assert story.reason == "QuorumSuspected"
    assert '"Start"' in story.next_step, "it stays possible"
    if running and machine_ready:
        assert story.next_step.startswith("look at the network between the operator and the nodes first")
        assert "Nothing is to be tainted or deleted for a, b, c while 3 of 3 containers" in story.next_step
        assert story.next_step.index("Nothing is to be") < first_that_ends(story.next_step)
        assert ("3 of 3 endpoints of Service bank are ready" in story.next_step) is ready
        assert "kubectl taint" not in story.next_step
    else:
        assert story.next_step.startswith("find out whether the silent nodes' machines still run")


def test_of_some_whose_machines_are_dark_both_is_told_the_network_first() -> None:
    seen = {**pods(), "c": pod("c", machine="m2")}
    story = told(silent_service(), pods=seen, machines={"m1": machine(), "m2": machine("m2", ready=False)})
    assert story.next_step.index("look at the network") < story.next_step.index("kubectl taint")
    assert "for a, b while 2 of 3 containers" in story.next_step


def test_nodes_that_all_answer_and_see_no_primary_are_cut_off_from_one_another() -> None:
    said = {n: answers(n, configs=[config(*NAMES)]) for n in NAMES}
    story = told(silent_service(), answers=said)
    assert story.next_step.startswith("look at the network between the nodes first, port 8081")
    assert "kubectl taint" not in story.next_step


def test_a_minority_that_is_silent_and_lives_is_nobodys_to_give_up() -> None:
    degraded = QuorumStatus(verdict=Verdict.DEGRADED, message="a leads, without c")
    of = silent_service(quorum=degraded)
    of.nodes[0].silence = of.nodes[1].silence = None
    said = quorum("a", "b", members=NAMES)
    story = told(of, answers=said)
    assert story.reason == "NodesSilent"
    assert story.next_step.startswith("look at the network")
    assert first_that_ends(story.next_step) == len(story.next_step)
    dark = told(of, answers=said, pods={**pods(), "c": pod("c", machine="m2")}, machines={**READY})
    assert "kubectl taint" in dark.next_step


def test_a_member_that_was_told_to_stop_and_of_whose_end_no_report_comes_has_a_next_step() -> None:
    of = silent_service(quorum=QuorumStatus(verdict=Verdict.DEGRADED, message="a leads, without c"))
    of.nodes[2] = record("c", stop="Fenced", started_at=at(0))
    over = pod("c", phase="Failed", reason="NodeAffinity", deleting=True, ccf=ContainerView())
    story = told(of, answers=quorum("a", "b", members=NAMES), pods={**pods(), "c": over})
    assert "c may still run" in story.next_step
    assert "crictl ps" in story.next_step


# The only network


def test_of_one_network_alone_both_is_told_and_the_operator_first() -> None:
    operator = OperatorView("op-1", "ops", "m9", pods=3, networks=1, unreached_since=at(0))
    story = told(silent_service(), operator=operator)
    assert story.reason == "QuorumSuspected"
    own, nodes = story.next_step.index("networkpolicy -n ops"), story.next_step.index("networkpolicy -n default")
    assert own < nodes < first_that_ends(story.next_step)
    assert "kubectl -n ops exec op-1 -- python3 -c" in story.next_step


def test_an_operator_that_is_cut_off_says_it_of_itself() -> None:
    operator = OperatorView("op-1", "ops", "m9", pods=6, networks=2, unreached_since=at(0))
    story = told(silent_service(), operator=operator)
    assert story.message.startswith("the operator on machine m9 reaches none of the 6 pods of 2 networks")
    assert "spec.nodeName=m9" in story.next_step


# Before the service exists, or is open


def starting(**fields: Any) -> NodeRecord:
    return record("a", command=Command.START, node_id=None, silence=silence(), **fields)


def test_a_first_node_that_does_not_answer_has_a_next_step() -> None:
    of = status(starting(), service=service(opened_at=None, public_key=None))
    story = told(of)
    assert (story.reason, story.message) == (
        "Starting",
        "a runs and does not answer at 10.0.0.1:8443 (connection timed out)",
    )
    assert story.next_step.startswith("look at the network")
    dark = told(of, machines=DARK)
    assert dark.next_step.startswith("find out whether the silent nodes' machines still run")


def test_an_ipv6_only_pod_network_is_told() -> None:
    of = status(starting(), service=service(opened_at=None, public_key=None))
    of.nodes[0].silence = silence("[fd00::7]")
    story = told(of, pods={"a": pod("a", ip="fd00::7")})
    assert "at [fd00::7]:8443" in story.message
    assert "IPv4" in story.next_step


def test_before_the_opening_nothing_is_to_be_deleted_while_nodes_live() -> None:
    of = silent_service(service=service(opened_at=None))
    story = told(of)
    assert story.reason == "QuorumSuspected"
    assert story.next_step.index("look at the network") < story.next_step.index("delete ccf")
    assert "Nothing is to be tainted or deleted" in story.next_step
    assert told(of, machines=DARK).next_step.startswith("kubectl -n default delete ccf")
    cut_off = OperatorView(pods=6, networks=2, unreached_since=at(0))
    assert first_that_ends((story := told(of, operator=cut_off)).next_step) == len(story.next_step)


# During a recovery


def test_candidates_that_do_not_answer_are_told_with_where_to_look() -> None:
    node = record("r-a", volume="v-a", command=Command.RECOVER, attempt=1, silence=silence(), node_id=None)
    of = status(node, attempt=attempt(candidate("a"), phase=AttemptPhase.RECOVERING))
    story = told(of, pods={"r-a": pod("r-a")})
    assert "r-a runs and does not answer at 10.0.0.1:8443 (connection timed out)" in story.message
    assert story.next_step.startswith("look at the network")
    of = status(node, attempt=attempt(candidate("a"), phase=AttemptPhase.AWAITING_APPROVAL, reason="NothingRecovered"))
    assert told(of, pods={"r-a": pod("r-a")}).next_step.startswith("look at the network")


def test_a_recovered_network_that_is_not_heard_is_not_to_be_ended_first() -> None:
    crown = record("r-a", volume="v-a", command=Command.RECOVER, attempt=1)
    running = attempt(phase=AttemptPhase.AWAITING_MEMBERS, winner=crowned("r-a"), leaderless_since=at(0))
    story = told(status(crown, attempt=running), pods={"r-a": pod("r-a")})
    assert story.reason == "NoPrimary"
    assert story.next_step.index("look at the network") < story.next_step.index("delete pod")
    heard = {"r-a": answers("r-a", key=NEW, configs=[config("r-a")])}
    assert told(status(crown, attempt=running), pods={"r-a": pod("r-a")}, answers=heard).next_step.startswith(
        "if it stays so, end the nodes that hang"
    )
    cut_off = OperatorView(pods=6, networks=2, unreached_since=at(0))
    story = told(status(crown, attempt=running), pods={"r-a": pod("r-a")}, operator=cut_off)
    assert story.reason == "OperatorIsolated"
    assert first_that_ends(story.next_step) == len(story.next_step)


def test_a_node_that_does_not_end_on_a_machine_that_is_ready_is_not_given_up_lightly() -> None:
    crown = record("r-a", volume="v-a", command=Command.RECOVER, attempt=1)
    left = record("r-b", volume="v-b", command=Command.RECOVER, attempt=1, stop="Loser")
    running = attempt(phase=AttemptPhase.JOINING, winner=crowned("r-a"), network=configuration("r-a"))
    said = quorum("r-a", key=NEW, status="Recovering")
    both = {name: pod(name) for name in ("r-a", "r-b")}
    story = told(status(crown, left, attempt=running), answers=said, pods=both)
    assert story.reason == "LosersRemain"
    assert story.next_step.index("m1, which is Ready") < story.next_step.index("kubectl taint")
    assert "kubectl -n default describe pod r-b" in story.next_step


# Starting a recovery all the same


def test_a_recovery_that_a_person_starts_is_not_refused_and_says_what_speaks_against_it() -> None:
    of = silent_service()
    seen = observation(of, after=60, pods=pods(), claims={v.name: claim(v.name) for v in of.volumes})
    token = decide(seen).status.recovery_token
    spec = CCFRecoveryDecisionSpec(network="bank", token=token or "", action=Action.START)
    started = decide(replace(seen, decisions=(DecisionView("d", "uid-d", at(60), spec),)))
    [known] = started.status.decisions
    assert started.status.start is not None
    assert "Against it speaks that 3 of 3 containers are reported running" in known.message
    assert "3 of 3 endpoints of Service bank are ready" in known.message


def test_where_to_look_has_whole_commands() -> None:
    work: Draft = draft(silent_service(), operator=OperatorView("op-1", "ops", "m9"))
    said = network_first(work, work.status.nodes)
    for command in (
        "kubectl get networkpolicy -n default",
        "kubectl -n default get endpointslices -l kubernetes.io/service-name=bank-nodes -o wide",
        """kubectl -n ops exec op-1 -- python3 -c "import socket; socket.create_connection(('10.0.0.1', 8443), 3)\"""",
    ):
        assert f"({command})" in said
    assert OLD not in said


def test_a_candidate_that_was_never_heard_has_its_result_with_the_cause() -> None:
    node = record("r-a", volume="v-a", command=Command.RECOVER, attempt=1, silence=silence(), node_id=None)
    waits = candidate("a", started_at=at(0), progress_at=at(0))
    dead = [record(name, ended=end()) for name in NAMES]
    of = status(*dead, node, attempt=attempt(waits, phase=AttemptPhase.RECOVERING), configuration=configuration(*NAMES))
    seen = observation(of, after=4000, pods={"r-a": pod("r-a")}, answers={"r-a": TIMED_OUT})
    found = decide(seen).status.attempt
    assert found is not None
    assert "it runs and does not answer at 10.0.0.1:8443 (connection timed out)" in (found.candidates[0].detail or "")


def test_what_a_person_may_decide_about_an_attempt_comes_after_the_operators_own_isolation() -> None:
    node = record("r-a", volume="v-a", command=Command.RECOVER, attempt=1, silence=silence(), node_id=None)
    of = status(node, attempt=attempt(candidate("a"), phase=AttemptPhase.AWAITING_APPROVAL, reason="NothingRecovered"))
    cut_off = OperatorView(pods=6, networks=2, unreached_since=at(0))
    story = told(of, pods={"r-a": pod("r-a")}, operator=cut_off)
    assert story.next_step.startswith("look at what keeps the operator from all nodes")
