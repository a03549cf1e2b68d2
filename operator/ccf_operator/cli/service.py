"""Which service a member should find behind a node, and whether it is the one that is offered.

A recovered service is offered by one node only, the operator's winner, and by those that joined it. Any other
recovered service is a fork: it has another key, though everything in its ledger may be the same (CCF facts §8.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ccf_operator.api.status import AttemptPhase, Winner
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.ccf.identity import BadCertificate, key_fingerprint
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.network import Network
from ccf_operator.cli.words import shorten
from ccf_operator.domain.reasons import Reason
from ccf_operator.domain.txid import TxID, recovered_tx_id


@dataclass(frozen=True)
class Expected:
    """The service that the operator says is the network's: certificate (PEM) and public key; the public key of the
    service that it goes on from, where it is a recovered one that waits for its members."""

    certificate: str
    key: str
    recovered_from: str | None = None


class Finding(StrEnum):
    """How a check came out."""

    GOOD = "good"
    DOUBT = "doubt"
    BAD = "bad"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, and what was found."""

    finding: Finding
    what: str


@dataclass(frozen=True)
class Knowledge:
    """What a member knows from elsewhere, whatever the cluster says: the certificate (PEM) of the service as it was
    before the recovery, where there was one; a TxID that was committed in it."""

    service: str | None = None
    tx_id: TxID | None = None


NOTHING = Knowledge()


def expected_service(network: Network) -> Expected:
    """The service that members deal with now: the winner's once one is chosen, else the known one.

    Raises Failure (NOT_NOW) where there is none yet."""
    status = network.status
    attempt = status.attempt
    if attempt is not None:
        if attempt.winner is None:
            raise Failure(
                Exit.NOT_NOW,
                f"the network is being recovered and no ledger has been chosen yet ({status.phase.value}: "
                f"{shorten(status.message)})",
                f"wait until kubectl ccf status {network.name} says AwaitingMembers",
            )
        return Expected(attempt.winner.service_certificate, attempt.winner.public_key, attempt.base_service)
    service = status.service
    if service.certificate is None or service.public_key is None:
        raise Failure(
            Exit.NOT_NOW,
            f"the service has not been created yet ({shorten(status.message)})",
            f"wait until kubectl ccf status {network.name} says AwaitingOpen",
        )
    return Expected(service.certificate, service.public_key)


def insist_on_asked(network: Network) -> None:
    """Raises Failure (NOT_NOW) while the operator does not ask the members to go on with the service it recovers.

    Another candidate may still run, the lost service may be back, or nodes that could join now would have to wait.
    """
    attempt = network.status.attempt
    doubted = attempt is not None and attempt.reason in (Reason.LOSS_DOUBTED, Reason.TWO_SERVICES)
    if attempt is not None and (attempt.phase is not AttemptPhase.AWAITING_MEMBERS or doubted):
        raise Failure(
            Exit.NOT_NOW,
            f"the members are not asked to go on with it yet ({network.status.phase.value}: "
            f"{shorten(network.status.message)})",
            f"wait until kubectl ccf status {network.name} says AwaitingMembers",
        )


def check(
    network: Network,
    expected: Expected,
    node: str,
    live: Mapping[str, NodeAnswers],
    known: Knowledge = NOTHING,
) -> list[Check]:
    """Whether `node` offers what the operator says and what the member knows, and nothing else is offered."""
    answers = live[node]
    checks = [_is_the_operators(network, node, answers), _has_the_key(expected, answers)]
    if expected.recovered_from is not None:
        checks += _recovered(network, expected, answers)
    if known.service is not None:
        checks.append(_is_known(expected, answers, known.service))
    if known.tx_id is not None and expected.recovered_from is not None:
        checks.append(_reaches(answers, known.tx_id))
    checks.append(_its_nodes(network, answers))
    checks += _others(network, expected, node, live)
    return checks


def _is_the_operators(network: Network, node: str, answers: NodeAnswers) -> Check:
    record = network.status.node(node)
    if record is None or node in {pod.name for pod in network.strangers}:
        return Check(Finding.BAD, f"{node} is not a node that the operator made")
    if record.node_id is None:
        return Check(Finding.BAD, f"the operator does not know {node}'s key yet")
    if answers.impostor or answers.node_id != record.node_id:
        return Check(Finding.BAD, f"{node} does not hold the key that the operator knows as its node's")
    winner = network.status.attempt.winner if network.status.attempt is not None else None
    role = ", the operator's winner" if winner is not None and winner.node == node else ""
    return Check(Finding.GOOD, f"{node}{role}, proved that it is node {(answers.node_id or '')[:8]}…")


def _has_the_key(expected: Expected, answers: NodeAnswers) -> Check:
    if answers.network is None:
        return Check(Finding.BAD, f"it does not say which service it is part of ({answers.problem or 'no answer'})")
    found = answers.network.service_key
    if found == expected.key:
        return Check(Finding.GOOD, f"its service is the operator's: key {found[:8]}…")
    return Check(Finding.BAD, f"its service is another one: key {found[:8]}…, the operator's has {expected.key[:8]}…")


def _recovered(network: Network, expected: Expected, answers: NodeAnswers) -> list[Check]:
    attempt = network.status.attempt
    assert attempt is not None
    assert attempt.winner is not None
    winner = attempt.winner
    checks = []
    if answers.previous_identity_key == expected.recovered_from:
        checks.append(Check(Finding.GOOD, f"it goes on from the known service: key {attempt.base_service[:8]}…"))
    else:
        found = f"key {answers.previous_identity_key[:8]}…" if answers.previous_identity_key else "none"
        checks.append(Check(Finding.BAD, f"it goes on from another service than the known one: {found}"))
    if answers.network is not None:
        created = str(answers.network.create_tx_id)
        same = (answers.network.recovery_count, created) == (winner.recovery_count, winner.create_tx_id)
        found = f"recovery {answers.network.recovery_count}, created at {created}: recovered up to {winner.tx_id}"
        other = f"recovery {winner.recovery_count}, created at {winner.create_tx_id}"
        checks.append(
            Check(Finding.GOOD, found)
            if same
            else Check(Finding.BAD, f"recovery {answers.network.recovery_count}, created at {created}; chosen: {other}")
        )
    checks += _what_was_recovered(winner)
    if attempt.timeline.losers_gone_at is None:
        checks.append(Check(Finding.BAD, "other candidates of this recovery may still run: two forks could be offered"))
    return checks


def _what_was_recovered(winner: Winner) -> list[Check]:
    if not _goes_with(winner):
        what = f"{winner.tx_id} does not go with a service created at {winner.create_tx_id}"
        return [Check(Finding.BAD, f"the operator's status contradicts itself: {what}")]
    return [
        Check(Finding.DOUBT, f"a person approved what may be missing: {shorten(one)}") for one in winner.approved_loss
    ]


def _goes_with(winner: Winner) -> bool:
    try:
        return recovered_tx_id(TxID.parse(winner.create_tx_id)) == TxID.parse(winner.tx_id)
    except ValueError:
        return False


def _is_known(expected: Expected, answers: NodeAnswers, known: str) -> Check:
    try:
        key = key_fingerprint(known)
    except BadCertificate as error:
        raise Failure(Exit.USAGE, f"the known service's certificate: {error}", "give a PEM file") from error
    offered = answers.previous_identity_key if expected.recovered_from is not None else expected.key
    what = "goes on from" if expected.recovered_from is not None else "is"
    if offered == key:
        return Check(Finding.GOOD, f"it {what} the service in your own file: key {key[:8]}…")
    return Check(Finding.BAD, f"your own file has another service: key {key[:8]}…, this one {what} {offered or 'none'}")


def _reaches(answers: NodeAnswers, known: TxID) -> Check:
    created = answers.network.create_tx_id if answers.network is not None else None
    try:
        recovered = recovered_tx_id(created) if created is not None else None
    except ValueError:
        recovered = None
    if recovered is not None and recovered >= known:
        return Check(Finding.GOOD, f"it was recovered up to {recovered}, not below {known}, which you know of")
    return Check(Finding.BAD, f"it was recovered up to {recovered or 'nothing'} only, and you know of {known}")


def _its_nodes(network: Network, answers: NodeAnswers) -> Check:
    names = {record.node_id: record.name for record in network.status.nodes if record.node_id is not None}
    members = [row for row in answers.nodes if row.status == "Trusted"]
    unknown = [row.node_id for row in members if row.node_id not in names]
    if unknown:
        listed = ", ".join(f"{node[:8]}…" for node in unknown)
        return Check(Finding.BAD, f"nodes are part of it that the operator does not know: {listed}")
    if not members:
        return Check(Finding.BAD, "it does not say which nodes are part of it")
    listed = ", ".join(f"{names[row.node_id]} ({row.node_id[:8]}…)" for row in members)
    return Check(Finding.GOOD, f"its nodes are the operator's: {listed}")


def _others(network: Network, expected: Expected, node: str, live: Mapping[str, NodeAnswers]) -> list[Check]:
    checks = []
    for pod in network.strangers:
        if pod.name == node:
            continue
        answers = live.get(pod.name)
        offered = answers.network.service_key if answers is not None and answers.network is not None else None
        if offered is not None and offered != expected.key:
            checks.append(
                Check(
                    Finding.DOUBT,
                    f"a fork is offered besides: pod {pod.name}, service {offered[:8]}…; not the operator's",
                )
            )
        else:
            checks.append(Check(Finding.DOUBT, f"pod {pod.name} bears the network's label and is not the operator's"))
    return checks
