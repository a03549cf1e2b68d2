"""Joiners that run, answer the operator, and of which the service's primary has not heard.

A joiner asks the one node it joins through, by name, for ever: where that name does not resolve or leads nowhere it
says so in its log alone (CCF facts §7.1). What the operator can see is that it stays `Pending` and has no row.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from ccf_operator.api.status import NodeRecord
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.observation import Resolution
from ccf_operator.domain.service import ServiceView
from ccf_operator.render import names

NOT_HEARD_OF = "NotHeardOf"
"""Reason of the obstacle."""

STARTS_WITHIN = timedelta(seconds=10)
"""How long a joiner may take to ask: until then nothing is noted."""
TOLD_AFTER = timedelta(seconds=20)
"""How long after that people are told."""


def keep_unregistered(draft: Draft, view: ServiceView, joiners: Iterable[NodeRecord]) -> None:
    """Note since when a joiner has asked for nothing; `view` is of the service that it is to join."""
    for record in joiners:
        if not _has_not_asked(draft, view, record):
            record.unregistered_since = None
        elif record.unregistered_since is None and _runs_long_enough(draft, record):
            record.unregistered_since = draft.now
        if record.note is None and is_told(draft, record):
            record.note = in_words(draft, record)


def _has_not_asked(draft: Draft, view: ServiceView, record: NodeRecord) -> bool:
    answers, leader = draft.answers(record), view.leader
    if answers is None or answers.state is None or leader is None or record.stop is not None:
        return False
    rows = {row.node_id for row in leader.nodes}
    return answers.state.state == "Pending" and leader.node_id in rows and record.node_id not in rows


def _runs_long_enough(draft: Draft, record: NodeRecord) -> bool:
    return record.started_at is not None and draft.now - record.started_at >= STARTS_WITHIN


def is_told(draft: Draft, record: NodeRecord) -> bool:
    """Whether it has asked for nothing for so long that people are told."""
    return record.unregistered_since is not None and draft.now - record.unregistered_since >= TOLD_AFTER


def told(draft: Draft, records: Iterable[NodeRecord]) -> list[NodeRecord]:
    """Those of the joiners of which people are told."""
    return [record for record in records if record.ended is None and is_told(draft, record)]


def what_it_lacks(draft: Draft, record: NodeRecord) -> str:
    """`runs, and has not asked to join at bank-0.…:8080: that name does not resolve`."""
    host = _host(record)
    said = {
        Resolution.UNKNOWN: "that name does not resolve",
        Resolution.NO_ANSWER: "nobody says whether that name resolves: DNS does not answer",
        Resolution.NO_IPV4: "that name has no IPv4 address, and CCF connects over IPv4 only",
    }.get(draft.seen.names.of.get(host, Resolution.ADDRESS), "it may not reach that address")
    return f"runs, and {record.join_target} has heard nothing of it: it is to ask at {record.join_address}; {said}"


def in_words(draft: Draft, record: NodeRecord) -> str:
    """The same with the joiner's name."""
    return f"{record.name} {what_it_lacks(draft, record)}"


def about_names(draft: Draft, joiners: Iterable[NodeRecord]) -> str:
    """What to look at, names first where they do not resolve; empty if there is no such joiner."""
    stuck = list(joiners)
    if not stuck:
        return ""
    namespace, service = draft.seen.namespace, names.nodes_service(draft.seen.name)
    addresses = f"kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={service} -o wide"
    policies = (
        f"whether network policies let the nodes reach one another, ports {names.CLIENT_PORT} and {names.NODE_PORT} "
        f"(kubectl get networkpolicy -n {namespace}), and DNS"
    )
    return f"{_about_domain(draft, stuck)}see what Service {service} leads to ({addresses}); {policies}"


def _about_domain(draft: Draft, stuck: Iterable[NodeRecord]) -> str:
    known, domain = draft.seen.names, draft.seen.cluster_domain
    if known.search_domain is not None and known.search_domain != domain:
        return (
            f"the operator takes the cluster's domain to be {domain} (chart value clusterDomain, "
            f"CCF_OPERATOR_CLUSTER_DOMAIN), and its own resolver is configured for {known.search_domain}: set it to "
            "that. Else "
        )
    if all(known.of.get(_host(record)) in (None, Resolution.ADDRESS) for record in stuck):
        return ""
    return (
        f"is {domain} the cluster's domain? The operator is told by the chart value clusterDomain "
        "(CCF_OPERATOR_CLUSTER_DOMAIN). If it is, "
    )


def names_to_resolve(records: Iterable[NodeRecord]) -> frozenset[str]:
    """Names at which joiners are to ask that have asked for nothing."""
    return frozenset(_host(r) for r in records if r.unregistered_since is not None and r.join_address is not None)


def _host(record: NodeRecord) -> str:
    return (record.join_address or "").rpartition(":")[0]
