from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.domain.effects import ReleasePod
from ccf_operator.domain.nodes import want_pods
from ccf_operator.domain.observation import PersistentVolumeView, PodView
from ccf_operator.domain.releasing import TOLD, hinders, holds
from ccf_operator.render import labels, names
from unit.domain.given import at, claim, draft, end, ended_container, observation, pod, record, status, volume

RETAIN = PersistentVolumeView("pv-v-a", "uid-pv", "Retain")
DELETE = replace(RETAIN, reclaim_policy="Delete")


def holder(**fields: Any) -> PodView:
    return pod("a", ccf=ended_container(), labels={labels.VOLUME: "v-a"}, **fields)


def kept(found: dict[str, PersistentVolumeView | None], *, since: float | None = 0, **seen: Any) -> bool:
    """Whether a pod is held back that names claim v-a, which is being deleted, ten seconds on."""
    known = volume("v-a", retained_since=at(since) if since is not None else None)
    of = status(record("a", ended=end()), volumes=[known])
    claims = {"v-a": claim("v-a", deleting=True)}
    seen = {"claims": claims, "persistent_volumes": found, **seen}
    return holds(observation(of, after=10, **seen), holder()) is not None


@pytest.mark.parametrize(
    ("found", "is_kept"),
    [
        pytest.param({"pv-v-a": RETAIN}, False, id="it stays"),
        pytest.param({"pv-v-a": DELETE}, True, id="it goes along"),
        pytest.param({"pv-v-a": replace(RETAIN, reclaim_policy="Recycle")}, True, id="it is wiped"),
        pytest.param({"pv-v-a": replace(RETAIN, deleting=True)}, True, id="it is being deleted itself"),
        pytest.param({"pv-v-a": None}, True, id="it is gone"),
        pytest.param({}, True, id="it could not be read"),
    ],
)
def test_a_pod_is_kept_whose_claim_goes_unless_its_volume_stays(
    found: dict[str, PersistentVolumeView | None], is_kept: bool
) -> None:
    assert kept(found) is is_kept


def test_a_volume_stays_for_sure_when_that_was_seen_a_while_ago() -> None:
    assert kept({"pv-v-a": RETAIN}, since=None)
    assert kept({"pv-v-a": RETAIN}, since=10.1 - TOLD.total_seconds())
    assert not kept({"pv-v-a": RETAIN}, since=10 - TOLD.total_seconds())


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param({"claims": {"v-a": claim("v-a")}}, id="the claim stays"),
        pytest.param({"claims": {}}, id="it is gone already"),
        pytest.param({"claims": {"v-a": claim("v-a", deleting=True, volume_name=None)}}, id="it has no volume"),
        pytest.param({"namespace_terminating": True}, id="somebody has deleted the namespace"),
    ],
)
def test_nothing_is_kept_that_would_take_nothing_along(seen: dict[str, Any]) -> None:
    assert not kept({"pv-v-a": DELETE}, **seen)


def test_what_reads_a_volume_holds_it_too() -> None:
    found = claim("v-a", deleting=True)
    explorer = pod(names.explorer("bank", found.uid), labels={})
    seen = observation(status(), claims={"v-a": found}, persistent_volumes={"pv-v-a": DELETE})
    assert holds(seen, explorer) == found


@pytest.mark.parametrize(
    ("deleting", "found", "goes"),
    [(True, DELETE, False), (True, RETAIN, True), (False, DELETE, False)],
)
def test_a_node_that_has_ended_makes_way_for_a_claim_whose_volume_stays(
    deleting: bool, found: PersistentVolumeView, goes: bool
) -> None:
    """Only when it has gone can the claim be made anew."""
    of = status(record("a", ended=end()), volumes=[volume("v-a", retained_since=at(0))])
    claims, volumes = {"v-a": claim("v-a", deleting=deleting)}, {"pv-v-a": found}
    work = draft(of, after=10, pods={"a": holder()}, claims=claims, persistent_volumes=volumes)
    assert hinders(work.seen, holder()) is goes
    want_pods(work)
    assert (ReleasePod("a", "uid-a") in work.effects) is goes


@pytest.mark.parametrize("fields", [{"stop": "Fenced"}, {"stop": "Retired"}, {"stop": None, "deleting": True}])
def test_no_reason_to_let_a_node_go_takes_its_ledger_along(fields: dict[str, Any]) -> None:
    of = status(record("a", ended=end(), stop=fields["stop"]))
    held = holder(deleting=fields.get("deleting", False))
    claims = {"v-a": claim("v-a", deleting=True)}
    work = draft(of, pods={"a": held}, claims=claims, persistent_volumes={"pv-v-a": DELETE})
    want_pods(work)
    assert work.effects == []
    work = draft(of, pods={"a": held}, persistent_volumes={"pv-v-a": DELETE})
    want_pods(work)
    assert work.effects == [ReleasePod("a", "uid-a")]
