from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.status import Command, NetworkStatus, PodState, Verdict
from ccf_operator.domain.decide import decide
from ccf_operator.domain.made_of import made_of
from ccf_operator.domain.observation import ContainerView
from ccf_operator.domain.unstarted import not_started, stop_unstarted
from unit.domain.given import (
    at,
    configuration,
    draft,
    end,
    ended_container,
    machine,
    observation,
    on,
    pod,
    quorum,
    record,
    spec,
    status,
    view,
)

WAITS = ContainerView(waiting_reason="ImagePullBackOff")
STUCK = {n: pod(n, stage=WAITS, ccf=ContainerView(), phase="Pending", ready=False, machine="m2") for n in "jk"}
RUNS_UNHEARD = replace(STUCK["j"], ccf=ContainerView(started_at=at(30)))


def network(**joiner: Any) -> NetworkStatus:
    """A service of one node, which has ended, and a joiner that pulls its image since second 0."""
    known = {
        "command": Command.JOIN,
        "node_id": None,
        "started_at": None,
        "state": PodState.PULLING,
        "state_since": at(0),
        "machine": on("m2"),
        "made_of": made_of(spec()),
    }
    dead = record("a", command=Command.START, ended=end())
    joiners = (record("j", **{**known, **joiner}), record("k", **known))
    return status(dead, *joiners, configuration=configuration("a"))


def seen(**fields: Any) -> dict[str, Any]:
    machines = {"m1": machine("m1"), "m2": machine("m2")}
    return {"pods": {"a": pod("a", ccf=ended_container()), **STUCK}, "machines": machines, **fields}


@pytest.mark.parametrize(
    ("joiner", "after", "stop"),
    [
        pytest.param({}, 60, None, id="it is waited for"),
        pytest.param({}, 3600, "NotStarted", id="for so long"),
        pytest.param({"made_of": "another"}, 60, "Replaced", id="the spec was corrected"),
        pytest.param({"made_of": "another", "node_id": "f" * 64}, 60, None, id="it has run"),
        pytest.param({"made_of": "another", "command": Command.START}, 60, None, id="no joiner"),
    ],
)
def test_a_joiner_that_has_not_started_is_let_go_where_nobody_leads(
    joiner: dict[str, Any], after: float, stop: str | None
) -> None:
    work = draft(network(**joiner), after=after, **seen())
    stop_unstarted(work, view(work))
    assert work.status.nodes[1].stop == stop


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"machines": {"m2": machine("m2", ready=False)}}, id="its kubelet is not heard"),
        pytest.param({"pods": {"j": pod("j", machine="m2")}}, id="its kubelet says that it runs"),
        pytest.param({"pods": {"j": RUNS_UNHEARD}}, id="its kubelet has said when it started"),
        pytest.param({"pods": {}}, id="its pod is gone"),
        pytest.param(
            {"pods": {"j": pod("j", machine="m2", deleting=True)}}, id="it runs, and somebody deletes its pod"
        ),
        pytest.param({"answers": quorum("a")}, id="a primary is seen"),
    ],
)
def test_one_that_may_have_started_is_left_alone(fields: dict[str, Any]) -> None:
    nodes = network(made_of="another")
    if "answers" in fields:
        nodes.nodes[0].ended = None
    work = draft(nodes, after=3600, **seen(**fields))
    stop_unstarted(work, view(work))
    assert work.status.nodes[1].stop is None
    if "machines" in fields:
        assert not not_started(work)


def test_one_whose_pod_somebody_deletes_is_let_go_at_once() -> None:
    going = replace(STUCK["j"], deleting=True)
    work = draft(network(), after=60, **seen(pods={"a": pod("a", ccf=ended_container()), "j": going}))
    stop_unstarted(work, view(work))
    assert work.status.nodes[1].stop == "NotStarted"


def test_while_it_is_waited_for_nobody_is_told_to_give_machines_up() -> None:
    first = decide(observation(network(), **seen()))
    plan = decide(observation(first.status, after=60, **seen()))
    assert plan.status.quorum.verdict is Verdict.SUSPECTED
    assert "an image is not there" in plan.status.next_step
    assert "kubectl -n default delete pod j k" in plan.status.next_step
    assert "taint" not in plan.status.next_step
