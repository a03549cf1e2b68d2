from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.kube.ownership import may_be_taken_over, owner_uid, references_for
from ccf_operator.render import labels
from ccf_operator.render.names import NetworkRef

OURS, EARLIER, THEIRS = "uid-now", "uid-before", "uid-of-another"
BANK = NetworkRef("bank", "default", OURS)
LIVES = frozenset({OURS, EARLIER})


def made(
    uid: str | None = OURS,
    controller: dict[str, Any] | None = None,
    network: str = "bank",
    manager: str = "ccf-operator",
    others: tuple[dict[str, Any], ...] = (),
) -> dict[str, Any]:
    return {
        "metadata": {
            "labels": {labels.MANAGED_BY: manager, labels.NETWORK: network},
            **({"annotations": {labels.NETWORK_UID: uid}} if uid is not None else {}),
            "ownerReferences": [*others, *([controller] if controller is not None else [])],
        }
    }


def owner(uid: str, kind: str = "CCFNetwork", name: str = "bank") -> dict[str, Any]:
    return {"kind": kind, "name": name, "uid": uid, "controller": True}


@pytest.mark.parametrize(
    ("raw", "whose"),
    [
        (made(), OURS),
        (made(EARLIER), EARLIER),
        (made(None), None),
        (made(manager="helm"), None),
        (made(OURS, owner(THEIRS)), THEIRS),
        (made(None, owner(OURS)), OURS),
    ],
)
def test_a_controller_says_whose_it_is_and_where_there_is_none_what_it_was_made_for(raw: Any, whose: Any) -> None:
    assert owner_uid(raw) == whose


@pytest.mark.parametrize(
    ("raw", "verdict"),
    [
        (made(), True),
        (made(EARLIER), True),
        (made(THEIRS), False),
        (made(None), False),
        (made(network="other"), False),
        (made(manager="helm"), False),
        (made(EARLIER, owner(EARLIER)), True),
        (made(OURS, owner(EARLIER)), True),
        (made(OURS, owner(OURS)), False),
        (made(EARLIER, owner(THEIRS)), False),
        (made(EARLIER, owner(EARLIER, name="other")), False),
        (made(EARLIER, owner(EARLIER, kind="Deployment")), False),
    ],
)
def test_only_what_is_proven_ours_and_has_no_living_owner_is_taken(raw: Any, verdict: bool) -> None:
    assert may_be_taken_over(raw, BANK, LIVES) is verdict


def test_other_owners_stay() -> None:
    beside = {"kind": "Restore", "name": "r", "uid": "r"}
    assert references_for(made(EARLIER, owner(EARLIER), others=(beside,)), BANK) == [
        beside,
        labels.owner_reference(BANK),
    ]
