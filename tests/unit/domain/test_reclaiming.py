from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.status import VolumeRecord
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import ExploreVolume, ReclaimVolume
from ccf_operator.domain.observation import ContainerView, PersistentVolumeView, PodView, Terminated
from ccf_operator.domain.reclaiming import keep_claims, want_claims
from ccf_operator.render import names
from unit.domain.given import UID, attempt, candidate, claim, draft, end, pod, record, status, volume

VOLUME = PersistentVolumeView(
    "pv-v-a", "uid-pv", "Retain", False, ("default", "v-a"), "uid-v-a", "fast", "10Gi", ("ReadWriteOnce",)
)
NEW = claim("v-a", uid="uid-new")
OURS = {"networks": [UID], "volumes": ["v-a"], "generations": [1, 0]}


def known(**fields: Any) -> VolumeRecord:
    """A volume of which generations 0 and 1 were given away, and 0 holds the ledger."""
    return volume(
        "v-a", **{"persistent_volume": "pv-v-a", "persistent_volume_uid": "uid-pv", **fields}, next_generation=2
    )


def read(shown: object, **fields: Any) -> PodView:
    ended = ContainerView(terminated=Terminated(0, message=json.dumps({"manifests": shown})))
    return pod(names.explorer("bank", "uid-new"), **{"explorer": ended, **fields})


def looked(
    of: VolumeRecord | None = None, found: PersistentVolumeView | None = VOLUME, *pods: PodView, **seen: Any
) -> Draft:
    seen = {"claims": {"v-a": NEW}, "persistent_volumes": {"pv-v-a": found} if found else {}, **seen}
    written = seen.pop("status", status(record("a", ended=end()), volumes=[of or known()]))
    work = draft(written, pods={p.name: p for p in pods}, **seen)
    keep_claims(work)
    want_claims(work)
    return work


def test_it_is_written_down_which_volume_a_claim_has() -> None:
    [found] = looked(known(persistent_volume=None), claims={"v-a": claim("v-a")}).status.volumes
    assert (found.persistent_volume, found.persistent_volume_uid) == ("pv-v-a", "uid-pv")


def test_a_claim_that_is_gone_is_made_anew_for_the_volume_it_had() -> None:
    assert looked(claims={}).effects == [ReclaimVolume("v-a", "pv-v-a", "fast", "10Gi", ("ReadWriteOnce",))]


@pytest.mark.parametrize(
    ("of", "found", "seen"),
    [
        pytest.param(known(), VOLUME, {"claims": {"v-a": claim("v-a")}}, id="it is there"),
        pytest.param(known(), VOLUME, {"claims": {"v-a": NEW}}, id="one of its name is there"),
        pytest.param(known(uid=None), VOLUME, {}, id="it was never made"),
        pytest.param(known(lineage=()), VOLUME, {}, id="it holds nothing"),
        pytest.param(known(persistent_volume=None), VOLUME, {}, id="its volume is not known"),
        pytest.param(known(), None, {}, id="its volume is gone, or cannot be read"),
        pytest.param(known(), replace(VOLUME, uid="another"), {}, id="its volume is another"),
        pytest.param(known(), replace(VOLUME, deleting=True), {}, id="its volume goes"),
        pytest.param(known(), replace(VOLUME, claim=("default", "x")), {}, id="its volume was given away"),
        pytest.param(known(), VOLUME, {"namespace_terminating": True}, id="the namespace goes"),
    ],
)
def test_none_is_made(of: VolumeRecord, found: PersistentVolumeView | None, seen: dict[str, Any]) -> None:
    assert not [e for e in looked(of, found, **{"claims": {}, **seen}).effects if isinstance(e, ReclaimVolume)]


def test_one_that_was_put_back_is_read_before_it_is_used() -> None:
    work = looked()
    assert work.effects == [ExploreVolume("v-a", "uid-new")]
    assert work.status.volumes[0].uid == "uid-v-a"
    assert work.claim("v-a") is None
    assert "being read" in (work.status.volumes[0].note or "")
    assert looked(None, VOLUME, read(OURS, explorer=ContainerView(running=True))).effects == []


def test_it_takes_the_place_of_the_old_one_when_its_volume_shows_that_it_is_the_one() -> None:
    going_on = attempt(candidate("a"), candidate("b"))
    of = status(record("a", ended=end()), volumes=[known()], attempt=going_on)
    work = looked(None, VOLUME, read(OURS), status=of)
    assert (work.status.volumes[0].uid, work.status.volumes[0].note) == ("uid-new", None)
    assert work.status.attempt is not None
    assert [c.claim_uid for c in work.status.attempt.candidates] == ["uid-new", "uid-v-b"]


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        pytest.param({"networks": [], "volumes": [], "generations": []}, "nothing of this network", id="empty"),
        pytest.param(None, "nothing of this network", id="not read"),
        pytest.param({**OURS, "networks": ["another"]}, "nothing of this network", id="another network"),
        pytest.param({**OURS, "networks": [UID, "another"]}, "nothing of this network", id="two networks"),
        pytest.param({**OURS, "volumes": ["v-b"]}, "that of v-b", id="another volume"),
        pytest.param({**OURS, "generations": [1]}, "lacks generation 0", id="no ledger"),
        pytest.param({**OURS, "generations": [2, 1, 0]}, "never planned", id="a generation too many"),
    ],
)
def test_it_is_never_used_where_its_volume_shows_something_else(shown: object, says: str) -> None:
    work = looked(None, VOLUME, read(shown))
    assert work.status.volumes[0].uid == "uid-v-a"
    assert says in (work.status.volumes[0].note or "")


@pytest.mark.parametrize(
    ("of", "found", "seen", "says"),
    [
        pytest.param(known(), VOLUME, {"claims": {"v-a": replace(NEW, volume_name="pv-x")}}, "on pv-x", id="elsewhere"),
        pytest.param(known(), replace(VOLUME, uid="x"), {}, "not the one it was", id="a volume of the same name"),
        pytest.param(known(persistent_volume=None), VOLUME, {}, "not known which", id="nobody knows which it had"),
        pytest.param(known(), VOLUME, {"claims": {"v-a": replace(NEW, phase="Pending")}}, "waits for", id="not bound"),
        pytest.param(known(), VOLUME, {"claims": {"v-a": replace(NEW, deleting=True)}}, "deleted", id="goes, too"),
        pytest.param(
            known(), VOLUME, {"status": status(record("a"), volumes=[known()])}, "provably ended", id="a node runs"
        ),
    ],
)
def test_it_is_not_even_read(of: VolumeRecord, found: PersistentVolumeView, seen: dict[str, Any], says: str) -> None:
    """Not even a reading that says the right thing helps."""
    work = looked(of, found, read(OURS), **seen)
    assert work.status.volumes[0].uid == "uid-v-a"
    assert says in (work.status.volumes[0].note or "")
    assert not [e for e in work.effects if isinstance(e, ExploreVolume)]


def test_another_s_pod_says_nothing() -> None:
    assert looked(None, VOLUME, read(OURS, owner_uid="another")).status.volumes[0].uid == "uid-v-a"
