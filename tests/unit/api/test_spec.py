from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ccf_operator.api.spec import CCFNetworkSpec, Member, milliseconds, seconds


def _minimal(**changes: Any) -> dict[str, Any]:
    return {
        "image": "registry.example/ccf-app:7.0.0",
        "members": [{"name": "alice", "certificate": {"value": "-----BEGIN CERTIFICATE-----"}}],
        "constitution": {"configMapRef": {"name": "constitution"}},
        **changes,
    }


@pytest.mark.parametrize(
    ("text", "expected"), [("30s", 30.0), ("10m", 600.0), ("500ms", 0.5), ("1h30m", 5400.0), ("0s", 0.0)]
)
def test_seconds_of_a_duration(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "30", "s", "1 h", "-1s", "1d", "30s ", "1.5s", "30s\n"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        seconds(text)


def test_minutes_become_milliseconds() -> None:
    assert milliseconds("2m") == 120_000


def test_image_members_and_constitution_suffice() -> None:
    spec = CCFNetworkSpec.model_validate(_minimal())
    assert (spec.nodes, spec.command, spec.storage.size) == (3, ["/opt/ccf/bin/js_generic"], "10Gi")
    assert seconds(spec.recovery.quorum_loss_window) == 30


@pytest.mark.parametrize("field", ["image", "members", "constitution"])
def test_nothing_else_stands_for_what_is_required(field: str) -> None:
    given = _minimal()
    del given[field]
    with pytest.raises(ValidationError, match=field):
        CCFNetworkSpec.model_validate(given)


@pytest.mark.parametrize("source", [{}, {"value": "x", "configMapKeyRef": {"name": "n", "key": "k"}}])
def test_a_pem_has_exactly_one_source(source: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="exactly one of configMapKeyRef and value"):
        Member.model_validate({"name": "alice", "certificate": source})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, False),
        ({"encryptionPublicKey": {"value": "x"}}, True),
        ({"encryptionPublicKey": {"value": "x"}, "recoveryRole": "Participant"}, True),
        ({"encryptionPublicKey": {"value": "x"}, "recoveryRole": "Owner"}, False),
        ({"encryptionPublicKey": {"value": "x"}, "recoveryRole": "NonParticipant"}, False),
    ],
)
def test_who_holds_a_share_that_the_threshold_counts(fields: dict[str, Any], expected: bool) -> None:
    member = Member.model_validate({"name": "alice", "certificate": {"value": "x"}, **fields})
    assert member.takes_part_in_recovery is expected


def test_limits_alone_leave_the_requests_at_their_default() -> None:
    spec = CCFNetworkSpec.model_validate(_minimal(pods={"resources": {"limits": {"memory": "1Gi"}}}))
    assert spec.pods.resources["requests"]["memory"] == "256Mi"
    assert spec.pods.resources["limits"] == {"memory": "1Gi"}


def test_resources_are_requests_and_limits_only() -> None:
    with pytest.raises(ValidationError, match="neither requests nor limits"):
        CCFNetworkSpec.model_validate(_minimal(pods={"resources": {"request": {"memory": "1Gi"}}}))
