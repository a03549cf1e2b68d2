"""Joiners that run and that nobody has heard of."""

from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.status import Command, NetworkStatus, NodeRecord
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.decide import decide
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.observation import NamesView, Resolution
from ccf_operator.domain.unregistered import (
    STARTS_WITHIN,
    TOLD_AFTER,
    about_names,
    in_words,
    is_told,
    keep_unregistered,
    names_to_resolve,
)
from unit.domain.given import at, configuration, draft, observation, pending, quorum, record, service, status, view

HOST = "a.bank-nodes.default.svc.cluster.local"
ASKS, TOLD = STARTS_WITHIN.total_seconds(), TOLD_AFTER.total_seconds()


def joiner(**fields: Any) -> NodeRecord:
    return record("j", **{"started_at": at(0), "join_target": "a", "join_address": f"{HOST}:8080", **fields})


def rows(*names: str, **fields: Any) -> dict[str, NodeAnswers]:
    known = {n: "Trusted" if n == "a" else "Pending" for n in ("a", *names)}
    return {**quorum("a", rows=known, **fields), "j": pending("j")}


def look(of: NetworkStatus, said: dict[str, NodeAnswers], after: float, **seen: Any) -> Draft:
    work = draft(of, after=after, answers=said, **seen)
    keep_unregistered(work, view(work), [r for r in work.status.nodes if r.name == "j"])
    return work


def of_it(work: Draft) -> NodeRecord:
    return work.status.nodes[1]


def test_a_joiner_that_nobody_has_heard_of_is_told_after_half_a_minute() -> None:
    of = status(record("a"), joiner())
    assert of_it(look(of, rows(), ASKS - 1)).unregistered_since is None, "nothing is written while it starts"
    first = look(of, rows(), ASKS)
    assert not is_told(first, of_it(first))
    later = look(first.status, rows(), ASKS + TOLD)
    assert is_told(later, of_it(later))
    assert of_it(later).note == (
        f"j runs, and a has heard nothing of it: it is to ask at {HOST}:8080; it may not reach that address"
    )
    assert of_it(look(later.status, rows("j"), ASKS + TOLD + 1)).unregistered_since is None


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({**rows(), "j": NodeAnswers()}, {}),
        ({"j": pending("j")}, {}),
        (rows("j"), {}),
        ({**quorum("a"), "j": pending("j")}, {}),
        ({**rows(), "j": quorum("j")["j"]}, {}),
        (rows(), {"stop": "NotNeeded"}),
        (rows(), {"started_at": None}),
    ],
    ids=["silent", "no primary", "it has a row", "the primary tells no rows", "joined", "to end", "not started"],
)
def test_what_else_is_no_such_joiner(said: dict[str, NodeAnswers], fields: dict[str, Any]) -> None:
    assert of_it(look(status(record("a"), joiner(**fields)), said, 100)).unregistered_since is None


@pytest.mark.parametrize(
    ("resolution", "words"),
    [
        (Resolution.UNKNOWN, "that name does not resolve"),
        (Resolution.NO_ANSWER, "DNS does not answer"),
        (Resolution.NO_IPV4, "no IPv4 address"),
        (Resolution.ADDRESS, "it may not reach that address"),
        (None, "it may not reach that address"),
    ],
)
def test_the_words_go_by_what_the_resolver_says(resolution: Resolution | None, words: str) -> None:
    names = NamesView({HOST: resolution} if resolution is not None else {})
    work = draft(status(record("a"), joiner(unregistered_since=at(0))), names=names)
    assert words in in_words(work, of_it(work))


@pytest.mark.parametrize(
    ("resolution", "search", "words", "not_words"),
    [
        (Resolution.UNKNOWN, None, "is cluster.local the cluster's domain?", "configured for"),
        (Resolution.UNKNOWN, "cluster.local", "is cluster.local the cluster's domain?", "configured for"),
        (Resolution.UNKNOWN, "corp.example", "is configured for corp.example: set it to that", "is cluster.local the"),
        (Resolution.ADDRESS, "cluster.local", "network policies", "clusterDomain"),
        (None, None, "network policies", "clusterDomain"),
    ],
)
def test_names_come_first_where_they_are_in_doubt(
    resolution: Resolution | None, search: str | None, words: str, not_words: str
) -> None:
    names = NamesView({HOST: resolution} if resolution is not None else {}, search)
    work = draft(status(record("a"), joiner(unregistered_since=at(0))), names=names)
    said = about_names(work, [of_it(work)])
    assert words in said
    assert not_words not in said
    assert "kubectl get networkpolicy -n default" in said
    assert about_names(work, []) == ""


def test_only_names_of_such_joiners_are_to_be_resolved() -> None:
    assert names_to_resolve([record("a"), joiner()]) == frozenset()
    assert names_to_resolve([joiner(unregistered_since=at(0))]) == {HOST}
    assert names_to_resolve([joiner(unregistered_since=at(0), join_address=None)]) == frozenset()


def test_a_wrong_cluster_domain_is_in_the_message_and_the_next_step() -> None:
    unopened = service(opened_at=None, status="Opening")
    a = record("a", joined_at=at(0), command=Command.START)
    of = status(a, joiner(unregistered_since=at(0)), configuration=configuration("a"), service=unopened)
    names = NamesView({HOST: Resolution.UNKNOWN}, "corp.example")
    told = decide(observation(of, after=60, answers=rows(status="Opening"), names=names)).status
    assert told.reason == "Joining"
    assert f"{HOST}:8080; that name does not resolve" in told.message
    assert "set it to that" in told.next_step
