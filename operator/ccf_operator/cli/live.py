"""What the nodes themselves say, each having proven who it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.ccf.client import ask
from ccf_operator.cli.network import Network, Pod
from ccf_operator.cli.reach import NoWay, Ways
from ccf_operator.render.names import OPERATOR_PORT

ANSWER_TIMEOUT = 4.0


async def ask_pod(ways: Ways, pod: Pod, expected_node_id: str | None) -> NodeAnswers:
    """The answers of the node in a pod; never raises: `problem` says what is missing."""
    answers = await _ask(ways, pod, expected_node_id)
    if not answers.reached and await ways.give_up(pod):
        return await _ask(ways, pod, expected_node_id)
    return answers


async def _ask(ways: Ways, pod: Pod, expected_node_id: str | None) -> NodeAnswers:
    try:
        address = await ways.to(pod, OPERATOR_PORT)
    except NoWay as error:
        return NodeAnswers(problem=str(error))
    host, _, port = address.rpartition(":")
    return await ask(host.strip("[]"), int(port), expected_node_id=expected_node_id, timeout=ANSWER_TIMEOUT)


async def ask_nodes(ways: Ways, network: Network) -> Mapping[str, NodeAnswers]:
    """The answers of every running pod of the network, strangers too, side by side."""
    known = {record.name: record.node_id for record in network.status.nodes}
    running = [pod for pod in network.pods.values() if pod.running]
    strangers = {pod.name for pod in network.strangers}
    answers = await asyncio.gather(
        *(ask_pod(ways, pod, None if pod.name in strangers else known.get(pod.name)) for pod in running)
    )
    return {pod.name: found for pod, found in zip(running, answers, strict=True)}
