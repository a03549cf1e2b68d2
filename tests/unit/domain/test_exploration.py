"""Reading found volumes: every wait for what one holds ends, with a reason."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.status import FoundVolume, NetworkStatus
from ccf_operator.api.volume_facts import read_facts
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import AnnotateVolume, DeletePod
from ccf_operator.domain.exploration import UNPLACED, progress, want_exploration, why_given_up
from ccf_operator.domain.made_of import explorer_made_of
from ccf_operator.domain.observation import ClaimView, ContainerView, PodView, ReadBytes, Terminated
from ccf_operator.render import names
from ccf_operator.render.labels import RECOVERY_FACTS, ROLE, Role
from unit.domain.given import START, at, claim, draft, pod, spec

CLAIM = claim("v-x")
UNREPORTED = ContainerView()
FACTS = {"lineage": [0], "serviceKey": "0" * 64, "serviceCertificate": "PEM", "recoveryCount": 0}
ENDED_AT = at(100)
PLACED_AFTER = UNPLACED.total_seconds()


def explorer(container: ContainerView = UNREPORTED, **fields: Any) -> PodView:
    named = pod(names.explorer("bank", CLAIM.uid), phase="Pending", ccf=UNREPORTED, stage=UNREPORTED)
    return replace(named, labels={ROLE: Role.EXPLORER.value}, explorer=container, **fields)


def said(message: dict[str, Any] | str) -> ContainerView:
    text = message if isinstance(message, str) else json.dumps(message)
    return ContainerView(terminated=Terminated(0, message=text, finished_at=ENDED_AT))


def given_up(explorer: PodView | None, seconds: float, of: ClaimView = CLAIM) -> str | None:
    """Why the volume is given up so many seconds after it was first to be read."""
    seen = draft(
        NetworkStatus(),
        after=seconds,
        pods={explorer.name: explorer} if explorer is not None else {},
        claims={of.name: of},
        spec=spec(recovery={"startDeadline": "3m", "candidateDeadline": "5m"}),
    )
    return why_given_up(seen, of, START)


@pytest.mark.parametrize(
    ("explorer", "limit", "why"),
    [
        (None, 180, "could not be made"),
        (explorer(), 180, "did not start within 3m"),
        (explorer(ContainerView(waiting_reason="ImagePullBackOff")), 180, "ImagePullBackOff"),
        (explorer(phase="Failed"), 180, "Failed"),
        (explorer(unschedulable="no machine has the volume"), PLACED_AFTER, "no machine has the volume"),
        (explorer(ContainerView(running=True, started_at=at(40))), 1840, "comes no further"),
        (explorer(ContainerView(running=True)), 1800, "comes no further"),
        (explorer(said({"facts": FACTS, "problems": []})), 280, "onto its claim"),
    ],
    ids=[
        "no pod can be made",
        "its machine is silent",
        "no image",
        "refused by its kubelet",
        "no machine",
        "hangs",
        "hangs, and nobody knows since when",
        "nothing can be written onto the claim",
    ],
)
def test_every_wait_ends_with_a_reason(explorer: PodView | None, limit: float, why: str) -> None:
    assert given_up(explorer, limit) is None
    assert why in (given_up(explorer, limit + 1) or "")


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ({"facts": None, "problems": ["no generation of any ledger"]}, "no generation of any ledger"),
        ("Traceback: MemoryError", "could not be read: Traceback"),
        ("", "could not be read"),
    ],
    ids=["it shows nothing", "it crashed", "it was killed"],
)
def test_what_has_ended_without_a_word_is_not_waited_for(message: dict[str, Any] | str, why: str) -> None:
    assert why in (given_up(explorer(said(message)), 0) or "")


def test_a_claim_that_is_being_deleted_is_not_waited_for() -> None:
    assert given_up(None, 0, of=replace(CLAIM, deleting=True)) == "its claim is being deleted"


READS = explorer(ContainerView(running=True, started_at=START))


def test_a_reading_may_last_as_long_as_it_comes_further() -> None:
    known = FoundVolume(name=CLAIM.name, uid=CLAIM.uid, reading_since=START)
    for after in range(0, 10_000, 290):
        work = exploring(READS, after, read={READS.name: ReadBytes(after, 10_000)})
        known.read = progress(work, CLAIM, known)
        assert why_given_up(work, CLAIM, START, known.read) is None
    stuck = exploring(READS, 9_860 + 301, read={READS.name: ReadBytes(9_860, 10_000)})
    assert "comes no further" in (why_given_up(stuck, CLAIM, START, progress(stuck, CLAIM, known)) or "")


def exploring(of: PodView, after: float, **fields: Any) -> Draft:
    recovery = {"startDeadline": "3m", "candidateDeadline": "5m"}
    known: dict[str, Any] = {"spec": spec(recovery=recovery), "stage_image": "operator:1"}
    return draft(NetworkStatus(), after=after, pods={of.name: of}, claims={CLAIM.name: CLAIM}, **{**known, **fields})


MADE_OF = explorer_made_of(spec(), "operator:1")


@pytest.mark.parametrize(
    ("of", "after", "makes_way"),
    [
        (explorer(made_of=MADE_OF), 180, False),
        (explorer(made_of=MADE_OF), 181, True),
        (explorer(made_of=MADE_OF, unschedulable="no room"), 10**6, False),
        (explorer(made_of="another"), 1, True),
        (replace(READS, made_of="another"), 10**6, False),
        (explorer(said("Killed")), 280, False),
        (explorer(said("Killed")), 281, True),
        (explorer(said({"facts": None, "problems": ["none"]})), 10**6, False),
    ],
    ids=[
        "starts", "does not start", "waits for a machine", "was made of another spec", "reads already",
        "was killed just now", "was killed a while ago", "has read that there is nothing",
    ],
)  # fmt: skip
def test_another_pod_reads_in_the_place_of_one_that_did_not_become(of: PodView, after: float, makes_way: bool) -> None:
    work = exploring(of, after)
    want_exploration(work, [CLAIM])
    assert (DeletePod(pod=of.name, uid=of.uid) in work.effects) is makes_way


@pytest.mark.parametrize(("key", "count"), [("0" * 64, 0), ("f" * 64, 5)], ids=["the same service", "a later one"])
def test_how_often_a_service_was_recovered_its_ledger_says_and_not_its_claim(key: str, count: int) -> None:
    written = {**FACTS, "serviceKey": key, "recoveryCount": 5, "highWaterMark": "2.9"}
    annotated = replace(CLAIM, annotations={RECOVERY_FACTS: json.dumps(written)})
    work = exploring(explorer(said({"facts": FACTS, "problems": []})), 200)
    want_exploration(work, [annotated])
    [known] = [read_facts(effect.facts) for effect in work.effects if isinstance(effect, AnnotateVolume)]
    assert known is not None
    assert (known.recovery_count, known.service_key, known.high_water_mark) == (count, key, "2.9")
