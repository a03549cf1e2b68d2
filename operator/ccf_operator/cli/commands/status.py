"""kubectl ccf status: the whole network on one screen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.kubectl import Kubectl
from ccf_operator.cli.live import ask_nodes
from ccf_operator.cli.network import Network, load
from ccf_operator.cli.options import Format, NetworkName, Output, Reach, on_cluster
from ccf_operator.cli.output import write
from ccf_operator.cli.reach import Way, ways
from ccf_operator.cli.screen import screen
from ccf_operator.cli.terminal import complaints, console

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

        async def live(seen: Network) -> Mapping[str, NodeAnswers]:
            return {} if offline else await ask_nodes(open_ways, seen)

        if not watch:
            show(network, await live(network), output, kubectl.flags)
            return
        out = console()
        alternate = out.is_terminal and output is Format.TEXT
        with out.screen() if alternate else nullcontext() as full:
            while True:
                if full is not None:
                    full.update(screen(network, await live(network), datetime.now(UTC), kubectl.flags))
                else:
                    show(network, await live(network), output, kubectl.flags)
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


def show(network: Network, live: Mapping[str, NodeAnswers], output: Format, flags: Sequence[str]) -> None:
    """Write one look."""
    if output is Format.TEXT:
        console().print(screen(network, live, datetime.now(UTC), flags))
    else:
        write(document(network, live), output)


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
