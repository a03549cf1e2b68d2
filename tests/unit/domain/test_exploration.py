"""Reading found volumes: every wait for what one holds ends, with a reason."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.status import NetworkStatus
from ccf_operator.domain.exploration import UNPLACED, why_given_up
from ccf_operator.domain.observation import ClaimView, ContainerView, PodView, Terminated
from ccf_operator.render import names
from ccf_operator.render.labels import ROLE, Role
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
        (explorer(ContainerView(running=True, started_at=at(40))), 340, "within 5m"),
        (explorer(ContainerView(running=True)), 300, "within 5m"),
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
