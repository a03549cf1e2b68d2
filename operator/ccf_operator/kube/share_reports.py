"""The Event by which a member's plugin tells that CCF has taken its recovery share: how it is written and read.

CCF tells only whoever submits a share how many there are (CCF facts §6). The annotations carry what programs read; the
key of the service is one of them, so that no report counts for another recovery of the same network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ccf_operator.domain.observation import ShareReport
from ccf_operator.kube.views import moment
from ccf_operator.render import labels

REASON = "RecoveryShareSubmitted"
SERVICE, MEMBER = "ccf.dev/service", "ccf.dev/member"
SUBMITTED, THRESHOLD = "ccf.dev/shares-submitted", "ccf.dev/shares-threshold"

_ID = re.compile(r"[0-9a-f]{64}")
MOST = 254
"""Shares that a service can need (CCF facts §6.4). Whoever may create events can write anything into one."""


def event(network: Mapping[str, str], report: ShareReport, member: str) -> dict[str, Any]:
    """The Event (`events.k8s.io/v1`) to create. `network`: name, namespace and uid of the CCFNetwork; `member`: name of
    the member, for people."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "generateName": f"{network['name']}-share-",
            "namespace": network["namespace"],
            "labels": {labels.NETWORK: network["name"]},
            "annotations": {
                SERVICE: report.service,
                MEMBER: report.member,
                SUBMITTED: str(report.submitted),
                THRESHOLD: str(report.threshold),
            },
        },
        "eventTime": report.at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "reportingController": "ccf.dev/kubectl-ccf",
        "reportingInstance": f"member-{report.member[:16]}",
        "action": "SubmitShare",
        "reason": REASON,
        "note": f"{report.submitted} of {report.threshold} recovery shares are in: member {member} has submitted one",
        "type": "Normal",
        "regarding": {"apiVersion": labels.API_VERSION, "kind": labels.KIND, **network},
    }


def share_report(raw: Mapping[str, Any], network_uid: str) -> ShareReport | None:
    """The report in an Event; None for an event that is none, or is about another network object than this one."""
    metadata = raw.get("metadata") or {}
    said, at = metadata.get("annotations") or {}, moment(metadata.get("creationTimestamp"))
    if raw.get("reason") != REASON or (raw.get("regarding") or {}).get("uid") != network_uid or at is None:
        return None
    try:
        submitted, threshold = int(said[SUBMITTED]), int(said[THRESHOLD])
        found = ShareReport(str(said[SERVICE]), str(said[MEMBER]), submitted, threshold, at)
    except (KeyError, ValueError):
        return None
    possible = _ID.fullmatch(found.member) and 0 <= submitted <= MOST and 0 <= threshold <= MOST
    return found if possible else None
