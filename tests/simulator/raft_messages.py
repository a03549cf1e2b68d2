"""What consensus says between nodes, and its form on the wire."""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass

from simulator.kv import TxID


class BadMessage(ValueError):
    """Bytes that are no consensus message."""


@dataclass(frozen=True)
class AppendEntries:
    """From a leader: entries after `previous`, all of one view; without entries a heartbeat."""

    view: int  # of the leader
    previous: TxID  # what the leader's log holds just before the entries
    last: TxID  # of the last entry; `previous` for a heartbeat
    commit: int  # the leader's commit seqno
    entries: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class AppendEntriesResponse:
    """`matched` up to `upto`; or not, and `upto` is the best guess of where the logs may match."""

    upto: TxID  # view: the follower's own when matched
    matched: bool


@dataclass(frozen=True)
class RequestVote:
    view: int
    last_committable: TxID  # last signature of the candidate's log


@dataclass(frozen=True)
class RequestVoteResponse:
    view: int
    granted: bool


@dataclass(frozen=True)
class ProposeRequestVote:
    """From a retiring leader to its successor: call an election now."""

    view: int


Message = AppendEntries | AppendEntriesResponse | RequestVote | RequestVoteResponse | ProposeRequestVote

_LENGTH = struct.Struct(">I")


def encode(message: Message) -> bytes:
    fields = asdict(message)
    entries: tuple[bytes, ...] = fields.pop("entries", ())
    header = json.dumps([type(message).__name__, fields, [len(entry) for entry in entries]]).encode()
    return b"".join((_LENGTH.pack(len(header)), header, *entries))


def decode(data: bytes) -> Message:
    """Raises BadMessage."""
    try:
        (size,) = _LENGTH.unpack_from(data)
        offset = _LENGTH.size + size
        kind, fields, sizes = json.loads(data[_LENGTH.size : offset])
        entries = []
        for length in sizes:
            entries.append(data[offset : offset + length])
            offset += length
        if offset != len(data):
            raise BadMessage(f"{len(data)} bytes where {offset} are told")
        return _build(kind, fields, tuple(entries))
    except (struct.error, KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadMessage(str(error)) from error


def _build(kind: str, fields: dict[str, object], entries: tuple[bytes, ...]) -> Message:
    match kind, fields:
        case "AppendEntries", {"view": int(view), "previous": previous, "last": last, "commit": int(commit)}:
            return AppendEntries(view, _txid(previous), _txid(last), commit, entries)
        case "AppendEntriesResponse", {"upto": upto, "matched": bool(matched)}:
            return AppendEntriesResponse(_txid(upto), matched)
        case "RequestVote", {"view": int(view), "last_committable": last}:
            return RequestVote(view, _txid(last))
        case "RequestVoteResponse", {"view": int(view), "granted": bool(granted)}:
            return RequestVoteResponse(view, granted)
        case "ProposeRequestVote", {"view": int(view)}:
            return ProposeRequestVote(view)
    raise BadMessage(f"no message {kind!r} with {sorted(fields)}")


def _txid(value: object) -> TxID:
    match value:
        case [int(view), int(seqno)]:
            return TxID(view, seqno)
    raise BadMessage(f"{value!r} is no transaction id")
