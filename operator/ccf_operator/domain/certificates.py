"""Certificates that run out: of the service, and of the nodes that are part of it.

An expired certificate stops neither consensus nor governance nor the operator, but whoever wants to join: such a node
aborts (CCF facts §7.4, §8.8). Members renew them, while the service is being recovered as well as when it is open.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ccf_operator.ccf.identity import BadCertificate, expires_at
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.nodes import current_configuration
from ccf_operator.domain.service import view_service

LONGEST_NOTICE = timedelta(days=30)
"""How long before their end certificates are spoken of at most; of short-lived ones in the last third of their life."""


@dataclass(frozen=True)
class Expiring:
    """A certificate that has run out or soon will; `of` names the service or the nodes."""

    of: str
    at: datetime
    action: str
    days: int


def expiring(draft: Draft) -> tuple[Expiring, ...]:
    """The certificates that members should renew now, the service's first; of the nodes the one that ends first."""
    certificates = draft.seen.spec.certificates
    found: list[Expiring] = []
    ends = _service_ends(draft)
    if ends is not None and _is_due(draft, ends, certificates.service_validity_days):
        found.append(
            Expiring("the service", ends, "set_service_certificate_validity", certificates.service_validity_days)
        )
    due = sorted((at, name) for name, at in _node_ends(draft) if _is_due(draft, at, certificates.node_validity_days))
    if due:
        names = ", ".join(sorted(name for _, name in due))
        found.append(Expiring(names, due[0][0], "set_all_nodes_certificate_validity", certificates.node_validity_days))
    return tuple(found)


def in_words(draft: Draft, found: tuple[Expiring, ...]) -> str:
    """What runs out when, and the proposal that renews it."""
    ends = "; ".join(
        f"the certificate of {one.of} {'ran' if one.at <= draft.now else 'runs'} out at {one.at:%Y-%m-%d %H:%M} UTC"
        for one in found
    )
    return f"{ends}; nodes cannot join then. Members: propose and vote {renewal(draft, found)}"


def renewal(draft: Draft, found: tuple[Expiring, ...]) -> str:
    """The proposal that renews these certificates, as JSON (CCF facts §6.4). It is the same all day long."""
    today = draft.now.strftime("%Y-%m-%dT00:00:00Z")
    actions = [{"name": one.action, "args": {"valid_from": today, "validity_period_days": one.days}} for one in found]
    return json.dumps({"actions": actions})


def _is_due(draft: Draft, at: datetime, days: int) -> bool:
    return at - draft.now <= min(LONGEST_NOTICE, timedelta(days=days) / 3)


def _service_ends(draft: Draft) -> datetime | None:
    try:
        return expires_at(_service_certificate(draft) or "")
    except BadCertificate:
        return None


def _service_certificate(draft: Draft) -> str | None:
    """The certificate that the primary shows, else the last one known."""
    attempt, service = draft.status.attempt, draft.status.service
    winner = attempt.winner if attempt is not None else None
    key = winner.public_key if winner is not None else service.public_key
    leader = view_service(draft, key, draft.status.nodes).leader
    if leader is not None and leader.network is not None:
        return leader.network.service_certificate
    return winner.service_certificate if winner is not None else service.certificate


def _node_ends(draft: Draft) -> Iterator[tuple[str, datetime]]:
    """Living nodes of the current configuration: only of trusted nodes are certificates renewed."""
    configuration = current_configuration(draft)
    trusted = set(configuration.nodes) if configuration is not None else set()
    for record in draft.alive():
        if record.node_id in trusted and record.certificate_expires_at is not None:
            yield record.name, record.certificate_expires_at
