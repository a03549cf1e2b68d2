"""Telling the others, through an Event on the CCFNetwork, that a recovery share is in: CCF tells only its submitter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from ccf_operator.ccf.identity import called
from ccf_operator.ccf.messages import Request
from ccf_operator.cli import roster
from ccf_operator.cli.desk import Desk
from ccf_operator.cli.kubectl import Kubectl, KubectlFailed
from ccf_operator.domain.observation import ShareReport
from ccf_operator.kube import share_reports


async def report_share(
    out: Console, kubectl: Kubectl, desk: Desk, request: Request, reply: Mapping[str, Any] | None, member: str
) -> None:
    """Publish what CCF said to the share of the member with this id; nothing where the request was another.

    A member without the right to create events is told so: the share is in all the same.
    """
    if request.type != "recovery_share" or reply is None:
        return
    try:
        submitted, threshold = int(reply["submittedCount"]), int(reply["recoveryThreshold"])
    except (KeyError, TypeError, ValueError):
        return
    network = desk.network
    report = ShareReport(desk.expected.key, member, submitted, threshold, datetime.now(UTC))
    name = called(member, await roster.names_in_spec(kubectl, network))
    about = {"name": network.name, "namespace": network.namespace, "uid": network.uid}
    try:
        await kubectl.within(network.namespace).create(share_reports.event(about, report, name))
    except KubectlFailed as error:
        out.print(
            Text.assemble(
                "The share is in, but the others cannot be told",
                (f": {error}. Ask for the right to create events.events.k8s.io in {network.namespace}.", "dim"),
            ),
            soft_wrap=True,
        )
