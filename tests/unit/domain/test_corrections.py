from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.status import PodState
from ccf_operator.domain.corrections import is_outdated, is_unbound
from ccf_operator.domain.made_of import made_of, storage_of
from ccf_operator.domain.observation import ContainerView, Terminated
from unit.domain.given import claim, draft, end, ended_container, pod, record, spec, status, volume

NOT_YET: dict[str, Any] = {"ccf": ContainerView(), "stage": ContainerView(), "images": {"ccf": "ccf:7"}}
DONE = ContainerView(terminated=Terminated(0))
CORRECTED = spec(image="ccf:8")
NOW, BEFORE = made_of(spec()), made_of(CORRECTED)


def outdated(view: Any = NOT_YET, seen: dict[str, Any] | None = None, **fields: Any) -> bool:
    """Whether a node would be made anew; `view` None: its pod is not there."""
    of = record("n", **{"node_id": None, "made_of": BEFORE, **fields})
    pods = {"n": pod("n", **view)} if view is not None else {}
    work = draft(status(of), **{"pods": pods, **(seen or {})})
    return is_outdated(work, work.status.nodes[0])


def test_a_node_that_has_not_started_is_made_anew_from_a_corrected_spec_and_from_no_other() -> None:
    assert outdated()
    assert outdated({**NOT_YET, "stage": ContainerView(running=True)})
    assert outdated({**NOT_YET, "stage": DONE})
    assert outdated(None, pod_uid=None)
    assert not outdated(made_of=NOW)
    assert not outdated(None, pod_uid=None, made_of=NOW)


@pytest.mark.parametrize(
    ("view", "fields"),
    [
        ({}, {}),
        (NOT_YET | {"ccf": ended_container()}, {}),
        (NOT_YET, {"node_id": "f" * 64}),
        (NOT_YET, {"state": PodState.RUNNING}),
        (None, {}),
        (NOT_YET, {"ended": end()}),
        (NOT_YET, {"stop": "Retired"}),
    ],
    ids=[
        "it runs",
        "it ran",
        "it was met",
        "it was seen to run",
        "its pod has vanished",
        "it has ended",
        "it is stopped",
    ],
)
def test_one_that_may_have_started_is_left_alone(view: Any, fields: dict[str, Any]) -> None:
    assert not outdated(view, **fields)


def test_of_one_planned_by_an_operator_that_noted_nothing_the_image_tells() -> None:
    assert not outdated(made_of=None)
    assert outdated(made_of=None, seen={"spec": CORRECTED})
    assert not outdated(made_of=None, view={**NOT_YET, "images": {}}, seen={"spec": CORRECTED})
    before = {"made_of": None, "pod_uid": None}
    assert outdated(None, seen={"config_maps": frozenset({"n"})}, **before), "of what that is made nobody knows"
    assert not outdated(None, **before)


def test_another_image_of_stage_is_a_correction_only_for_one_that_waits_for_it() -> None:
    def replaced(state: PodState, view: Any = NOT_YET, image: str = "operator:2") -> bool:
        return outdated(view, {"stage_image": image}, made_of=NOW, stage_image="operator:1", state=state)

    assert replaced(PodState.PULLING)
    assert replaced(PodState.CREATING)
    assert not replaced(PodState.PULLING, image="operator:1")
    assert not replaced(PodState.PULLING, image="")
    assert not replaced(PodState.PULLING, NOT_YET | {"stage": DONE}), "it waits for the image of CCF"
    assert not replaced(PodState.ATTACHING)
    assert not replaced(PodState.STAGING)


def test_another_storage_is_a_correction_only_while_the_claim_is_not_bound() -> None:
    def replaced(bound: Any, storage: str | None) -> bool:
        of = record("n", node_id=None, made_of=NOW)
        known = status(of, volumes=[volume("v-n", storage=storage)])
        work = draft(known, pods={"n": pod("n", **NOT_YET)}, claims={"v-n": bound})
        return is_outdated(work, work.status.nodes[0])

    unbound = claim("v-n", phase="Pending", volume_name=None)
    assert replaced(unbound, "another")
    assert not replaced(unbound, storage_of(spec()))
    assert not replaced(unbound, None)
    assert not replaced(claim("v-n"), "another")


def test_nothing_was_written_to_a_volume_that_is_not_made_yet() -> None:
    def unbound(uid: str | None, **claims: Any) -> bool:
        return is_unbound(draft(status(volumes=[volume("v", uid=uid)]), claims=claims), "v")

    assert unbound(None)
    assert not unbound("uid-v"), "its claim is gone"
    assert unbound("uid-v", v=claim("v", phase="Pending", volume_name=None))
    assert not unbound("uid-v", v=claim("v", phase="Pending"))
    assert not unbound("uid-v", v=claim("v", phase="Lost", volume_name=None))
    assert not unbound("uid-v", v=claim("v"))
