"""kubectl ccf status: the whole network on one screen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.live import Live

from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.cli.kubectl import Kubectl
from ccf_operator.cli.live import ask_nodes
from ccf_operator.cli.network import Network, load
from ccf_operator.cli.options import Format, NetworkName, Output, Reach, on_cluster
from ccf_operator.cli.output import write
from ccf_operator.cli.reach import Way, ways
from ccf_operator.cli.screen import screen
from ccf_operator.cli.terminal import console

EVERY = 2.0
"""Seconds between two looks of --watch."""

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Look again every two seconds, until Ctrl-C.")]
Offline = Annotated[bool, typer.Option("--offline", help="Ask no node: show what the operator has written.")]


@on_cluster
async def status(
    kubectl: Kubectl,
    name: NetworkName,
    watch: Watch = False,
    output: Output = Format.TEXT,
    offline: Offline = False,
    reach: Reach = Way.AUTO,
) -> None:
    """Show a network: where it is, what happens next and who must act, quorum, nodes, volumes, recoveries."""
    network = await load(kubectl, name)
    async with ways(kubectl.within(network.namespace), reach) as open_ways:

        async def look() -> tuple[Network, Mapping[str, NodeAnswers]]:
            seen = await load(kubectl, name)
            return seen, {} if offline else await ask_nodes(open_ways, seen)

        if watch and output is Format.TEXT:
            await _follow(look, kubectl.flags)
        elif watch:
            await _repeat(look, output)
        else:
            seen, live = await look()
            if output is Format.TEXT:
                console().print(screen(seen, live, datetime.now(UTC), kubectl.flags))
            else:
                write(document(seen, live), output)


async def _follow(look: Any, flags: list[str]) -> None:
    out = console()
    if not out.is_terminal:
        while True:
            network, live = await look()
            out.print(screen(network, live, datetime.now(UTC), flags))
            await asyncio.sleep(EVERY)
    network, live = await look()
    with Live(screen(network, live, datetime.now(UTC), flags), console=out, screen=True, auto_refresh=False) as shown:
        while True:
            await asyncio.sleep(EVERY)
            network, live = await look()
            shown.update(screen(network, live, datetime.now(UTC), flags), refresh=True)


async def _repeat(look: Any, output: Format) -> None:
    while True:
        write(document(*await look()), output)
        if output is Format.YAML:
            print("---", flush=True)
        await asyncio.sleep(EVERY)


def document(network: Network, live: Mapping[str, NodeAnswers]) -> dict[str, Any]:
    """The same for programs: the object's status, and what each node said itself."""
    return {
        "network": network.name,
        "namespace": network.namespace,
        "uid": network.uid,
        "status": json.loads(network.status.model_dump_json(by_alias=True, exclude_none=True)),
        "nodes": {name: _answers(answers) for name, answers in sorted(live.items())},
        "strangers": sorted(pod.name for pod in network.strangers),
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
