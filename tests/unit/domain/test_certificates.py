from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ccf_operator.api.status import AttemptPhase, NetworkStatus
from ccf_operator.domain.certificates import Expiring, expiring, in_words, renewal
from ccf_operator.domain.conditions import keep_conditions
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.nodes import keep_records
from unit.domain.given import (
    NEW,
    START,
    answers,
    attempt,
    configuration,
    crowned,
    draft,
    end,
    quorum,
    record,
    service,
    spec,
    status,
)

DAY = timedelta(days=1)
SERVICE, NODES = "set_service_certificate_validity", "set_all_nodes_certificate_validity"


@cache
def certificate(end_at: datetime) -> str:
    """A self-signed certificate that ends then."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CCF")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, START - 400 * DAY, end_at)
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def open_until(service_ends: datetime, *nodes: tuple[str, datetime], **fields: Any) -> NetworkStatus:
    records = [record(name, certificate_expires_at=ends) for name, ends in nodes]
    known: dict[str, Any] = {"configuration": configuration(*[name for name, _ in nodes] or ["a"])}
    return status(*records, service=service(certificate=certificate(service_ends)), **{**known, **fields})


def actions(work: Draft) -> list[str]:
    return [one.action for one in expiring(work)]


@pytest.mark.parametrize(
    ("days", "left", "due"),
    [
        (365, 31 * DAY, False),
        (365, 30 * DAY, True),
        (365, -DAY, True),
        (1, timedelta(hours=9), False),
        (1, timedelta(hours=8), True),
    ],
)
def test_of_the_last_month_or_the_last_third(days: int, left: timedelta, due: bool) -> None:
    of = open_until(START + left)
    found = actions(draft(of, spec=spec(certificates={"serviceValidityDays": days})))
    assert found == ([SERVICE] if due else [])


def test_nodes_are_renewed_together_and_the_first_to_end_counts() -> None:
    work = draft(open_until(START + 300 * DAY, ("a", START + 9 * DAY), ("b", START + 8 * DAY), ("c", START + 90 * DAY)))
    assert expiring(work) == (Expiring("a, b", START + 8 * DAY, NODES, 365),)


def test_only_nodes_that_can_be_renewed_count() -> None:
    # Those that have ended need none; those that members have not trusted get theirs when they do.
    soon = START + DAY
    gone = record("a", certificate_expires_at=soon, ended=end())
    pending = record("b", certificate_expires_at=soon)
    of = status(
        gone, pending, service=service(certificate=certificate(START + 300 * DAY)), configuration=configuration("a")
    )
    assert not actions(draft(of))


def test_the_certificate_that_the_primary_shows_counts_not_the_one_on_record() -> None:
    of = open_until(START + DAY, ("a", START + 300 * DAY))
    said = quorum("a")["a"]
    assert said.network is not None
    renewed = replace(said.network, service_certificate=certificate(START + 300 * DAY))
    assert actions(draft(of)) == [SERVICE]
    assert actions(draft(of, answers={"a": replace(said, network=renewed)})) == []


def test_while_members_are_awaited_it_is_that_of_the_recovered_service() -> None:
    winner = crowned("r-a", service_certificate=certificate(START + DAY))
    network = configuration("r-a").model_copy(update={"service": NEW})
    of = open_until(START + 300 * DAY)
    of.nodes = [record("r-a", attempt=1, certificate_expires_at=START - DAY)]
    of.attempt = attempt(winner=winner, network=network, phase=AttemptPhase.AWAITING_MEMBERS)
    assert actions(draft(of)) == [SERVICE, NODES]


def test_what_cannot_be_read_is_not_spoken_of() -> None:
    assert not actions(draft(status(service=service(certificate="PEM"), configuration=configuration("a"))))


def test_the_proposal_is_exact_and_the_same_all_day() -> None:
    of = open_until(START + DAY, ("a", START + DAY))
    morning, evening = draft(of, after=1), draft(of, after=80_000)
    assert renewal(morning, expiring(morning)) == renewal(evening, expiring(evening))
    assert json.loads(renewal(morning, expiring(morning))) == {
        "actions": [
            {"name": SERVICE, "args": {"valid_from": "2026-01-01T00:00:00Z", "validity_period_days": 365}},
            {"name": NODES, "args": {"valid_from": "2026-01-01T00:00:00Z", "validity_period_days": 365}},
        ]
    }


def test_words_tell_what_has_ended_from_what_will() -> None:
    work = draft(open_until(START - DAY, ("a", START + DAY)))
    said = in_words(work, expiring(work))
    assert "the service ran out at 2025-12-31 00:00" in said
    assert "a runs out at 2026-01-02 00:00" in said
    assert SERVICE in said


@pytest.mark.parametrize(
    ("left", "status", "reason"), [(300, "False", "Valid"), (1, "True", "RunOutSoon"), (-1, "True", "Expired")]
)
def test_the_condition(left: int, status: str, reason: str) -> None:
    work = draft(open_until(START + left * DAY))
    keep_conditions(work)
    found = next(c for c in work.status.conditions if c.type == "CertificatesExpiring")
    assert (found.status, found.reason) == (status, reason)


def test_a_node_that_is_silent_keeps_the_end_that_was_seen() -> None:
    seen = replace(answers("a"), certificate_expires_at=START + DAY)
    first = draft(status(record("a")), answers={"a": seen})
    keep_records(first)
    second = draft(first.status)
    keep_records(second)
    assert second.status.nodes[0].certificate_expires_at == START + DAY
