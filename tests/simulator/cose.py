"""COSE_Sign1 messages of members: decoding and verification (CCF facts §6.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

ALG, KID = 1, 4
MSG_TYPE, CREATED_AT, PROPOSAL_ID = "ccf.gov.msg.type", "ccf.gov.msg.created_at", "ccf.gov.msg.proposal_id"
_SIGN1_TAG = 18
_HASHES: Mapping[int, hashes.HashAlgorithm] = {-7: hashes.SHA256(), -35: hashes.SHA384(), -36: hashes.SHA512()}


class Malformed(ValueError):
    """Not a COSE_Sign1 message as governance wants it; the text is CCF's."""


@dataclass(frozen=True)
class Message:
    protected: bytes
    """As sent: what the signature covers."""
    algorithm: int
    kid: str
    type: str | None
    created_at: int
    proposal_id: str | None
    payload: bytes
    signature: bytes
    envelope: bytes
    """The whole message as sent."""


def decode(raw: bytes) -> Message:
    """Decode a tagged COSE_Sign1 with its payload attached. Raises Malformed."""
    try:
        outer = _decode(raw)
    except Malformed as error:
        raise Malformed("Failed to parse COSE_Sign1 outer array") from error
    tag, content = outer if isinstance(outer, _Tagged) else (None, outer)
    if not isinstance(content, list) or len(content) != 4:
        raise Malformed("Failed to parse COSE_Sign1 outer array")
    if tag != _SIGN1_TAG:
        raise Malformed("COSE_Sign1 is not tagged")
    protected, _, payload, signature = content
    if not isinstance(protected, bytes) or not isinstance(payload, bytes) or not isinstance(signature, bytes):
        raise Malformed("Failed to parse COSE_Sign1 outer array")
    try:
        header = _decode(protected)
    except Malformed as error:
        raise Malformed("Failed to decode protected header") from error
    if not isinstance(header, dict):
        raise Malformed("Failed to decode protected header")
    algorithm, kid = header.get(ALG), header.get(KID)
    if not isinstance(algorithm, int):
        raise Malformed("Missing algorithm in protected header")
    if algorithm not in _HASHES:
        raise Malformed("Unsupported algorithm in protected header")
    if not isinstance(kid, bytes):
        raise Malformed("Missing kid in protected header")
    message_type, created_at, proposal = header.get(MSG_TYPE), header.get(CREATED_AT), header.get(PROPOSAL_ID)
    if message_type is not None and not isinstance(message_type, str):
        raise Malformed("Failed to decode protected header")
    if created_at is None:
        raise Malformed("Missing created_at in protected header")
    if not isinstance(created_at, int):
        raise Malformed("Failed to decode protected header")
    if created_at < 0:
        raise Malformed("Header parameter created_at is negative")
    return Message(
        protected=protected,
        algorithm=algorithm,
        kid=kid.decode("latin-1"),
        type=message_type,
        created_at=created_at,
        proposal_id=proposal if isinstance(proposal, str) else None,
        payload=payload,
        signature=signature,
        envelope=raw,
    )


def verified(message: Message, certificate: str) -> bool:
    """True if the signature is that of the certificate's key. The certificate's validity period does not matter."""
    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    half = (key.curve.key_size + 7) // 8
    if len(message.signature) != 2 * half:
        return False
    r, s = (int.from_bytes(part, "big") for part in (message.signature[:half], message.signature[half:]))
    signed = b"\x84" + _text("Signature1") + _bytes(message.protected) + _bytes(b"") + _bytes(message.payload)
    try:
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(_HASHES[message.algorithm]))
    except InvalidSignature:
        return False
    return True


class _Tagged(tuple[int, Any]):
    """A tag and its content."""


def _decode(raw: bytes) -> Any:
    value, end = _item(raw, 0)
    if end != len(raw):
        raise Malformed("trailing bytes")
    return value


def _item(raw: bytes, at: int, depth: int = 0) -> tuple[Any, int]:
    """One CBOR item (definite lengths, no floats) at `at`, and where the next begins."""
    if at >= len(raw) or depth > 16:
        raise Malformed("truncated, or too deep")
    major, short = raw[at] >> 5, raw[at] & 31
    at += 1
    if short < 24:
        number = short
    elif short < 28:
        width = 1 << (short - 24)
        if at + width > len(raw):
            raise Malformed("truncated")
        number, at = int.from_bytes(raw[at : at + width], "big"), at + width
    else:
        raise Malformed("indefinite length")
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major in (2, 3):
        if at + number > len(raw):
            raise Malformed("truncated")
        content = raw[at : at + number]
        if major == 2:
            return content, at + number
        try:
            return content.decode(), at + number
        except UnicodeDecodeError as error:
            raise Malformed("text is not UTF-8") from error
    if major == 4:
        items = []
        for _ in range(number):
            item, at = _item(raw, at, depth + 1)
            items.append(item)
        return items, at
    if major == 5:
        pairs = {}
        for _ in range(number):
            key, at = _item(raw, at, depth + 1)
            value, at = _item(raw, at, depth + 1)
            if not isinstance(key, int | str | bytes) or key in pairs:
                raise Malformed("a map key is repeated or of no simple kind")
            pairs[key] = value
        return pairs, at
    if major == 6:
        content, at = _item(raw, at, depth + 1)
        return _Tagged((number, content)), at
    simple = {20: False, 21: True, 22: None, 23: None}
    if number not in simple or short >= 24:
        raise Malformed("unsupported simple value")
    return simple[number], at


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    width = next(w for w in (1, 2, 4, 8) if number < 1 << 8 * w)
    return bytes([major << 5 | 23 + width.bit_length()]) + number.to_bytes(width, "big")


def _bytes(value: bytes) -> bytes:
    return _head(2, len(value)) + value


def _text(value: str) -> bytes:
    return _head(3, len(value.encode())) + value.encode()
