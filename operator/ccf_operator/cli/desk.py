"""Where a member deals with the service: one node that has proven to be of the service the operator names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.ccf.governance import Answer, GovernanceClient, GovernanceError, NotCommitted
from ccf_operator.ccf.identity import BadCertificate
from ccf_operator.ccf.messages import Message
from ccf_operator.ccf.parsing import Unreadable
from ccf_operator.ccf.proven_connection import EndorsedPeer, NotEndorsed, NotTheNode, ProvenTransport
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.kubectl import Kubectl
from ccf_operator.cli.live import ask_nodes
from ccf_operator.cli.network import Network, Pod, load, with_pod
from ccf_operator.cli.reach import NoWay, Way, Ways, ways
from ccf_operator.cli.service import NOTHING, Check, Expected, Finding, Knowledge, check, expected_service
from ccf_operator.render.names import CLIENT_PORT

COMMIT_TIMEOUT = 30.0

T = TypeVar("T")


@dataclass(frozen=True)
class Desk:
    """A way to talk to the service through one node, and what was found out about both."""

    network: Network
    expected: Expected
    node: str
    live: Mapping[str, NodeAnswers]
    checks: tuple[Check, ...]
    client: GovernanceClient

    @property
    def bad(self) -> list[str]:
        """What forbids to sign anything here."""
        return [one.what for one in self.checks if one.finding is Finding.BAD]

    def insist(self) -> None:
        """Raises Failure (UNSAFE) unless the service is the operator's."""
        if self.bad:
            raise Failure(
                Exit.UNSAFE,
                "this is not the service that the operator offers: " + "; ".join(self.bad),
                "sign nothing for it. Leave --node out to deal with the operator's own choice, and tell the other "
                "members and whoever runs the cluster",
            )

    async def get(self, path: str) -> Any:
        """What anyone may read. Raises Failure."""
        try:
            return await self.client.get(path)
        except GovernanceError as error:
            raise _failure(error, self.network.name) from error
        except (NotEndorsed, NotTheNode, BadCertificate) as error:
            raise _not_endorsed(self.node, error) from error

    async def told(self, path: str, understand: Callable[[object], T]) -> T:
        """The same, understood (`ccf.parsing`). Raises Failure."""
        try:
            return understand(await self.get(path))
        except Unreadable as error:
            raise Failure(
                Exit.REFUSED,
                f"what {self.node} answers to {path} cannot be understood: {error}",
                "install the version of kubectl-ccf that belongs to the operator on this cluster",
            ) from error

    async def find(self, path: str) -> Any | None:
        """The same; None where CCF says that there is none (404)."""
        try:
            return await self.get(path)
        except Failure as failure:
            cause = failure.__cause__
            if isinstance(cause, GovernanceError) and cause.status == 404 and cause.code != "FrontendNotOpen":
                return None
            raise

    async def post(self, message: Message) -> Answer:
        """Send a signed message and wait until what it wrote is committed. Raises Failure."""
        answer = await self.send(message)
        if answer.transaction_id is not None:
            await self._committed(answer.transaction_id)
        return answer

    async def send(self, message: Message) -> Answer:
        """Send a signed message. Raises Failure."""
        try:
            return await self.client.post(message)
        except GovernanceError as error:
            raise _failure(error, self.network.name) from error
        except (NotEndorsed, NotTheNode, BadCertificate) as error:
            raise _not_endorsed(self.node, error) from error

    async def _committed(self, transaction_id: str) -> None:
        try:
            await self.client.wait_for_commit(transaction_id, timeout=COMMIT_TIMEOUT)
        except NotCommitted as error:
            raise Failure(
                Exit.REFUSED,
                f"CCF took the message, but it was not committed: {error}",
                "look at kubectl ccf status; then give the same command again: nothing is done twice",
            ) from error

    def now(self) -> int:
        """The `created_at` of a message."""
        return int(time.time())


@asynccontextmanager
async def desk(
    kubectl: Kubectl, name: str, *, node: str | None = None, way: Way = Way.AUTO, known: Knowledge = NOTHING
) -> AsyncIterator[Desk]:
    """A desk at `node`, or at the one that suits best. Raises Failure where there is none."""
    network = await load(kubectl, name)
    expected = expected_service(network)
    if node is not None:
        network = await with_pod(kubectl, network, node)
    async with ways(kubectl.within(network.namespace), way) as open_ways:
        live = await ask_nodes(open_ways, network)
        async with sit_down(open_ways, network, expected, live, node=node, known=known) as made:
            yield made


@asynccontextmanager
async def sit_down(
    open_ways: Ways,
    network: Network,
    expected: Expected,
    live: Mapping[str, NodeAnswers],
    *,
    node: str | None = None,
    known: Knowledge = NOTHING,
) -> AsyncIterator[Desk]:
    """The same, where the nodes have been asked already."""
    pod = _choose(network, live, node)
    checks = tuple(check(network, expected, pod.name, live, known))
    async with await _client(open_ways, pod, expected, live[pod.name]) as client:
        yield Desk(network, expected, pod.name, live, checks, client)


async def _client(open_ways: Ways, pod: Pod, expected: Expected, answers: NodeAnswers) -> GovernanceClient:
    try:
        address = await open_ways.to(pod, CLIENT_PORT)
    except NoWay as error:
        raise _unreachable(str(error)) from error
    assert answers.node_id is not None
    transport = ProvenTransport(EndorsedPeer(expected.certificate, answers.node_id))
    return GovernanceClient(address, expected.certificate, transport=transport)


def _choose(network: Network, live: Mapping[str, NodeAnswers], node: str | None) -> Pod:
    if node is not None:
        return _named(network, live, node)
    winner = network.status.attempt.winner if network.status.attempt is not None else None
    strangers = {pod.name for pod in network.strangers}
    reached = {n: a for n, a in live.items() if a.reached and a.network is not None and n not in strangers}
    if not reached:
        problems = "; ".join(f"{name}: {a.problem}" for name, a in live.items() if a.problem)
        raise _unreachable(problems or "none of its pods runs")

    def rank(name: str) -> tuple[bool, bool, bool, str]:
        answers = reached[name]
        assert answers.network is not None
        offered = winner is not None and winner.node == name
        leads = answers.network.primary_id is not None and answers.network.primary_id == answers.node_id
        return not answers.ready_gov, not offered, not leads, name

    return network.pods[min(reached, key=rank)]


def _named(network: Network, live: Mapping[str, NodeAnswers], node: str) -> Pod:
    answers = live.get(node)
    if answers is not None and answers.impostor:
        raise Failure(
            Exit.UNSAFE,
            f"{node} is not the node that the operator knows: {answers.problem}",
            "sign nothing for it, and tell whoever runs the cluster",
        )
    if answers is None or answers.node_id is None:
        raise _unreachable(f"{node}: {answers.problem if answers is not None else 'its pod does not run'}")
    return network.pods[node]


def _unreachable(why: str) -> Failure:
    return Failure(
        Exit.UNREACHABLE,
        f"no node could be asked: {why}",
        "try --reach forward (through the API server), or again in a moment; kubectl ccf status shows the nodes",
    )


def _not_endorsed(node: str, error: Exception) -> Failure:
    return Failure(
        Exit.UNSAFE,
        f"{node} could not prove that it belongs to the service that the operator offers: {error}",
        "sign nothing for it, and tell whoever runs the cluster",
    )


_HELP = {
    "Signer is not an ACTIVE member": "acknowledge the state first: kubectl ccf ack NETWORK",
    "Signer is not a known member": "check --cert: this certificate is not one of the consortium's members",
    "ServiceNotWaitingForRecoveryShares": "first the members accept the recovered service: kubectl ccf open NETWORK",
    "FrontendNotOpen": "the node is not ready for members yet: try again in a moment",
    "ProposalCreatedTooLongAgo": "set this machine's clock right, or prepare the message anew",
    "ProposalNotOpen": "the proposal has been decided: kubectl ccf proposals NETWORK --all",
    "ProposalNotFound": "kubectl ccf proposals NETWORK lists the proposals there are",
    "VoteAlreadyExists": "another ballot of yours is in; a ballot cannot be changed",
    "InvalidAuthenticationInfo": "check that the certificate is a member's, and the clock of this machine",
    "NodeAlreadyRecovering": "enough shares are in; the service opens by itself: kubectl ccf status NETWORK --watch",
}


def _failure(error: GovernanceError, network: str) -> Failure:
    if error.status == 0:
        return _unreachable(str(error))
    said = f"{error.code} {error.message}"
    do = next((do for word, do in _HELP.items() if word in said), "kubectl ccf status NETWORK says where it stands")
    return Failure(Exit.REFUSED, f"CCF refused: {error}", do.replace("NETWORK", network))


async def ballots_of(desk: Desk, proposal_id: str, members: list[str]) -> list[str]:
    """Those of the members that have voted on a proposal."""
    paths = [f"/gov/members/proposals/{proposal_id}/ballots/{member}" for member in members]
    found = await asyncio.gather(*(desk.find(path) for path in paths))
    return [member for member, ballot in zip(members, found, strict=True) if ballot is not None]
