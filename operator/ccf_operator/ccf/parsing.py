"""From the bodies CCF sends to what they mean: small pure functions, one per endpoint.

Lenient in what does not matter (unknown keys, absent optional ones), strict in what decisions rest on: anything of
another shape raises Unreadable. Shapes: CCF facts §1.1 and §6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ccf_operator.ccf.answers import Ack, ConsensusAnswer, ConsensusConfig, NetworkAnswer, NodeRow, StateAnswer
from ccf_operator.ccf.governance_answers import MemberAnswer, ProposalRow
from ccf_operator.ccf.identity import BadCertificate, key_fingerprint
from ccf_operator.ccf.messages import Action
from ccf_operator.domain.txid import TxID

T = TypeVar("T")


class Unreadable(ValueError):
    """An answer that is not of the shape CCF gives."""


def parse_state(body: object) -> StateAnswer:
    """`GET /node/state`."""
    answer = _mapping(body)
    return StateAnswer(
        node_id=_need(answer, "node_id", str),
        state=_need(answer, "state", str),
        last_signed_seqno=_kept(answer, "last_signed_seqno"),
        startup_seqno=_need(answer, "startup_seqno", int),
        stop_notice=_may(answer, "stop_notice", bool) or False,
        recovery_target_seqno=_may(answer, "recovery_target_seqno", int),
        last_recovered_seqno=_may(answer, "last_recovered_seqno", int),
    )


def parse_network(body: object) -> NetworkAnswer:
    """`GET /node/network`."""
    answer = _mapping(body)
    certificate = _need(answer, "service_certificate", str)
    create = _may(answer, "current_service_create_txid", str)
    return NetworkAnswer(
        service_status=_need(answer, "service_status", str),
        service_certificate=certificate,
        service_key=parse_key(certificate),
        current_view=_may(answer, "current_view", int),
        primary_id=_may(answer, "primary_id", str),
        recovery_count=_kept(answer, "recovery_count"),
        create_tx_id=None if create is None else parse_tx_id(create),
    )


def parse_nodes(body: object) -> tuple[NodeRow, ...]:
    """`GET /node/network/nodes`."""
    return tuple(_node_row(_mapping(row)) for row in _need(_mapping(body), "nodes", list))


def parse_consensus(body: object) -> ConsensusAnswer:
    """`GET /node/consensus`."""
    details = _need(_mapping(body), "details", dict)
    return ConsensusAnswer(
        configs=tuple(_config(_mapping(config)) for config in _need(details, "configs", list)),
        acks={
            peer: Ack(_need(_mapping(ack), "seqno", int), _need(_mapping(ack), "last_received_ms", int))
            for peer, ack in (_may(details, "acks", dict) or {}).items()
        },
        membership=_need(details, "membership_state", str),
        leadership=_may(details, "leadership_state", str) or "None",
        primary_id=_may(details, "primary_id", str),
        view=_need(details, "current_view", int),
        retirement_phase=_may(details, "retirement_phase", str),
    )


def parse_commit(body: object) -> TxID:
    """`GET /node/commit`."""
    return parse_tx_id(_need(_mapping(body), "transaction_id", str))


def parse_removable(body: object) -> frozenset[str]:
    """`GET /node/network/removable_nodes`: ids of nodes that are completely retired."""
    return frozenset(_need(_mapping(row), "node_id", str) for row in _need(_mapping(body), "nodes", list))


def parse_version(body: object) -> str:
    """`GET /node/version`."""
    return _need(_mapping(body), "ccf_version", str)


def parse_previous_identity(body: object) -> str:
    """`GET /node/service/previous_identity`: the PEM of the last recovered service."""
    return _need(_mapping(body), "previous_service_identity", str)


def parse_members(body: object) -> tuple[MemberAnswer, ...]:
    """`GET /gov/service/members`."""
    return tuple(_member(_mapping(row)) for row in _need(_mapping(body), "value", list))


def parse_service_info(body: object) -> tuple[str, int | None]:
    """`GET /gov/service/info`: status of the service, and how many recovery shares it needs, where that is set."""
    answer = _mapping(body)
    threshold = _may(_need(answer, "configuration", dict), "recoveryThreshold", int)
    return _need(answer, "status", str), threshold


def parse_proposals(body: object) -> tuple[ProposalRow, ...]:
    """`GET /gov/members/proposals`."""
    return tuple(_proposal(_mapping(row)) for row in _need(_mapping(body), "value", list))


def parse_actions(body: object) -> tuple[Action, ...]:
    """`GET /gov/members/proposals/{id}/actions`: what the proposer signed, so that its arguments may be anything."""
    actions = [dict(_mapping(action)) for action in _need(_mapping(body), "actions", list)]
    for action in actions:
        _need(action, "name", str)
    return tuple(actions)


def parse_key(pem: str) -> str:
    """Fingerprint of the public key of a certificate found in an answer."""
    try:
        return key_fingerprint(pem)
    except BadCertificate as error:
        raise Unreadable(str(error)) from error


def parse_tx_id(text: str) -> TxID:
    """A transaction id found in an answer."""
    try:
        return TxID.parse(text)
    except ValueError as error:
        raise Unreadable(str(error)) from error


def _node_row(row: Mapping[str, Any]) -> NodeRow:
    interfaces = _may(row, "rpc_interfaces", dict) or {}
    return NodeRow(
        node_id=_need(row, "node_id", str),
        status=_need(row, "status", str),
        primary=_may(row, "primary", bool) or False,
        published={name: _need(_mapping(it), "published_address", str) for name, it in interfaces.items()},
    )


def _member(row: Mapping[str, Any]) -> MemberAnswer:
    return MemberAnswer(
        member_id=_need(row, "memberId", str),
        status=_need(row, "status", str),
        certificate=_may(row, "certificate", str) or "",
        recovers=_may(row, "publicEncryptionKey", str) is not None,
        recovery_role=_may(row, "recoveryRole", str),
        data=row.get("memberData"),
    )


def _proposal(row: Mapping[str, Any]) -> ProposalRow:
    return ProposalRow(
        proposal_id=_need(row, "proposalId", str),
        proposer_id=_need(row, "proposerId", str),
        state=_need(row, "proposalState", str),
        ballots=_may(row, "ballotCount", int) or 0,
    )


def _config(config: Mapping[str, Any]) -> ConsensusConfig:
    return ConsensusConfig(
        seqno=_kept(config, "idx"),
        reconfiguration_id=_need(config, "rid", int),
        nodes=frozenset(_need(config, "nodes", dict)),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"expected an object, found {type(value).__name__}")
    return value


def _need(answer: Mapping[str, Any], key: str, kind: type[T]) -> T:
    value = _may(answer, key, kind)
    if value is None:
        raise Unreadable(f"no {key!r}")
    return value


def _kept(answer: Mapping[str, Any], key: str) -> int:
    """A count that the status keeps: the API server refuses a status with one that is greater than an int64."""
    value = _need(answer, key, int)
    if not 0 <= value < 2**63:
        raise Unreadable(f"{key!r} is out of range")
    return value


def _may(answer: Mapping[str, Any], key: str, kind: type[T]) -> T | None:
    value = answer.get(key)
    if value is None:
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Unreadable(f"{key!r} should be {kind.__name__}, is {type(value).__name__}")
    return value
