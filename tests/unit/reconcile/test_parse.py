"""Specs and statuses that cannot be read: nothing is guessed, and deletion still works."""

from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.status import NetworkStatus, NodeRecord, Phase
from ccf_operator.reconcile.parse import Unreadable, spec_of, status_of, to_wire

SPEC = {
    "image": "app",
    "members": [{"name": "alice", "certificate": {"value": "x"}}],
    "constitution": {"configMapRef": {"name": "code"}},
}


def raw(**parts: Any) -> dict[str, Any]:
    return {"metadata": {"name": "bank", "namespace": "n", "uid": "u"}, "spec": SPEC, **parts}


def deleting(**parts: Any) -> dict[str, Any]:
    object_ = raw(**parts)
    object_["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return object_


def test_no_status_yet_is_an_empty_one() -> None:
    assert status_of(raw()) == NetworkStatus()


def test_fields_of_a_newer_operator_do_not_matter() -> None:
    assert status_of(raw(status={"phase": "Running", "invented": {"later": 1}})).phase is Phase.RUNNING


def test_a_status_that_cannot_be_read_is_never_taken_for_an_empty_one() -> None:
    with pytest.raises(Unreadable, match=r"phase"):
        status_of(raw(status={"phase": "Levitating"}))


def test_a_spec_that_cannot_be_read_is_said() -> None:
    with pytest.raises(Unreadable, match=r"spec cannot be read: image"):
        spec_of(raw(spec={**SPEC, "image": 7}))


def test_an_object_that_is_being_deleted_can_go_whatever_is_written_in_it() -> None:
    assert status_of(deleting(status={"phase": "Levitating"})) == NetworkStatus()
    assert spec_of(deleting(spec={})).nodes == 3


def test_a_status_survives_the_wire() -> None:
    status = NetworkStatus(
        nodes=[
            NodeRecord.model_validate(
                {
                    "name": "n",
                    "volume": "v",
                    "generation": 0,
                    "command": "Start",
                    "plannedAt": "2026-01-01T00:00:00.5Z",
                }
            )
        ]
    )

    assert status_of(raw(status=to_wire(status))) == status
    assert to_wire(status_of(raw(status=to_wire(status)))) == to_wire(status)
