"""COSE_Sign1 as CCF's governance takes it: tagged, payload attached, ECDSA (CCF facts §6.1; RFC 9052).

Only what such a message needs of CBOR is written here: definite lengths, integers, byte and text strings.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ALGORITHM, KEY_ID = 1, 4
"""Labels of the protected header."""

Value = int | str | bytes

_CURVES: dict[str, tuple[int, hashes.HashAlgorithm]] = {
    "secp256r1": (-7, hashes.SHA256()),
    "secp384r1": (-35, hashes.SHA384()),
    "secp521r1": (-36, hashes.SHA512()),
}
_SIGN1 = 18


def sign1(payload: bytes, key: ec.EllipticCurvePrivateKey, key_id: bytes, header: Mapping[str, Value]) -> bytes:
    """The signed message. `header` holds the text-labelled protected parameters, in order.

    Raises ValueError if the key's curve is none that CCF takes (P-256, P-384, P-521)."""
    if key.curve.name not in _CURVES:
        raise ValueError(f"CCF takes signatures of P-256, P-384 and P-521, not {key.curve.name}")
    algorithm, digest = _CURVES[key.curve.name]
    labelled: dict[int | str, Value] = {ALGORITHM: algorithm, KEY_ID: key_id}
    labelled.update(header)
    protected = _map(labelled)
    to_sign = _array(_value("Signature1"), _value(protected), _value(b""), _value(payload))
    r, s = decode_dss_signature(key.sign(to_sign, ec.ECDSA(digest)))
    size = (key.curve.key_size + 7) // 8
    signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return _head(6, _SIGN1) + _array(_value(protected), _map({}), _value(payload), _value(signature))


def _head(major: int, number: int) -> bytes:
    """A CBOR head in its shortest form: major type 0..7 and its argument."""
    if number < 24:
        return bytes([major << 5 | number])
    width = next(width for width in (1, 2, 4, 8) if number < 1 << 8 * width)
    return bytes([major << 5 | 23 + width.bit_length()]) + number.to_bytes(width, "big")


def _value(value: Value) -> bytes:
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    text = value.encode()
    return _head(3, len(text)) + text


def _array(*items: bytes) -> bytes:
    return _head(4, len(items)) + b"".join(items)


def _map(pairs: Mapping[int | str, Value]) -> bytes:
    return _head(5, len(pairs)) + b"".join(_value(label) + _value(value) for label, value in pairs.items())
