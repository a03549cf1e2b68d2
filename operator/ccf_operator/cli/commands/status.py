"""kubectl ccf status: the whole network on one screen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from ccf_operator.api.status import Phase
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.cli.desk import sit_down
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.governance_view import Governance, glance
from ccf_operator.cli.kubectl import Kubectl
from ccf_operator.cli.live import ask_nodes
from ccf_operator.cli.network import Network, load
from ccf_operator.cli.options import Format, NetworkName, Output, Reach, on_cluster
from ccf_operator.cli.output import Fitted, write
from ccf_operator.cli.reach import Way, Ways, ways
from ccf_operator.cli.screen import screen
from ccf_operator.cli.service import expected_service
from ccf_operator.cli.terminal import complaints, console

EVERY = 2.0
"""Seconds between two looks of --watch."""

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Look again every two seconds, until Ctrl-C.")]
Offline = Annotated[bool, typer.Option("--offline", help="Ask no node: show what the operator has written.")]


@dataclass(frozen=True)
class Seen:
    """One look: what Kubernetes knows, what the nodes say, and of a service that waits for members what these did."""

    network: Network
    live: Mapping[str, NodeAnswers] = field(default_factory=dict)
    governance: Governance | None = None


@on_cluster
async def status(
    kubectl: Kubectl,
    name: NetworkName,
    watch: Watch = False,
    output: Output = Format.TEXT,
    offline: Offline = False,
    reach: Reach = Way.AUTO,
) -> None:
    """Show a network on one screen.

    Where it is, what happens next and who must act, quorum, nodes, volumes, recoveries. Where lines are too short
    for whole names, those of nodes and volumes lose the network's name (…-0f1e2-3)."""
    network = await load(kubectl, name)
    async with ways(kubectl.within(network.namespace), reach) as open_ways:

        async def look(seen: Network) -> Seen:
            return Seen(seen) if offline else await _ask(kubectl, open_ways, seen)

        if not watch:
            show(await look(network), output, kubectl.flags)
            return
        out = console()
        alternate = out.is_terminal and output is Format.TEXT
        with out.screen() if alternate else nullcontext() as full:
            while True:
                seen = await look(network)
                if full is not None:
                    full.update(Fitted(_drawn(seen, kubectl.flags)))
                else:
                    show(seen, output, kubectl.flags)
                await asyncio.sleep(EVERY)
                network = await _look_again(kubectl, network)


async def _look_again(kubectl: Kubectl, before: Network) -> Network:
    """The network as it is now; as it was while the API server cannot be asked, which is said."""
    while True:
        try:
            return await load(kubectl, before.name)
        except Failure as failure:
            if failure.code is not Exit.CLUSTER:
                raise
            complaints().print(f"cannot look: {failure.why}", style="warn", soft_wrap=True)
            await asyncio.sleep(EVERY)


async def _ask(kubectl: Kubectl, open_ways: Ways, network: Network) -> Seen:
    live = await ask_nodes(open_ways, network)
    if network.status.phase not in (Phase.AWAITING_OPEN, Phase.AWAITING_MEMBERS):
        return Seen(network, live)
    try:
        async with sit_down(open_ways, network, expected_service(network), live) as desk:
            desk.insist()
            return Seen(network, live, await glance(kubectl, desk))
    except Failure as failure:
        return Seen(network, live, Governance(problem=failure.why))


def show(seen: Seen, output: Format, flags: Sequence[str]) -> None:
    """Write one look."""
    if output is Format.TEXT:
        console().print(_drawn(seen, flags), crop=False)
    else:
        write(document(seen), output)


def _drawn(seen: Seen, flags: Sequence[str]) -> RenderableType:
    return screen(seen.network, seen.live, datetime.now(UTC), flags, seen.governance)


def document(seen: Seen) -> dict[str, Any]:
    """The same for programs: the object's status, what each node said itself, and what members did."""
    network = seen.network
    found = {
        "network": network.name,
        "namespace": network.namespace,
        "uid": network.uid,
        "status": json.loads(network.status.model_dump_json(by_alias=True, exclude_none=True)),
        "nodes": {name: _answers(answers) for name, answers in sorted(seen.live.items())},
        "strangers": sorted(pod.name for pod in network.strangers),
    }
    return found if seen.governance is None else {**found, "governance": _governance(seen.governance)}


def _governance(governance: Governance) -> dict[str, Any]:
    if governance.problem:
        return {"problem": governance.problem}
    return {
        "recoveryThreshold": governance.threshold,
        "members": [person.document() for person in governance.people],
        "openProposals": [ballots.document(governance.people) for ballots in governance.ballots],
    }


def _answers(answers: NodeAnswers) -> dict[str, Any]:
    found: dict[str, Any] = {"reached": answers.reached, "nodeId": answers.node_id}
    if answers.problem:
        found["problem"] = answers.problem
    if answers.state is not None:
        found["state"] = answers.state.state
    if answers.network is not None:
        found |= {
            "serviceStatus": answers.network.service_status,
            "serviceKey": answers.network.service_key,
            "recoveryCount": answers.network.recovery_count,
            "primary": answers.network.primary_id == answers.node_id,
        }
    if answers.commit is not None:
        found["commit"] = str(answers.commit)
    return found
