"""COSE_Sign1 as CCF's governance takes it: tagged, payload attached, ECDSA (CCF facts §6.1; RFC 9052).

Only what such a message needs of CBOR is written here: definite lengths, integers, byte and text strings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

ALGORITHM, KEY_ID = 1, 4
"""Labels of the protected header."""

Value = int | str | bytes

_CURVES: dict[str, tuple[int, hashes.HashAlgorithm]] = {
    "secp256r1": (-7, hashes.SHA256()),
    "secp384r1": (-35, hashes.SHA384()),
    "secp521r1": (-36, hashes.SHA512()),
}
_SIGN1 = 18


@dataclass(frozen=True)
class ToSign:
    """A message before its signature: what goes into it, and the bytes that the key signs."""

    protected: bytes
    payload: bytes

    @property
    def sig_structure(self) -> bytes:
        """What is signed, by ECDSA with the digest of the key's curve (RFC 9052 §4.4)."""
        return _array(_value("Signature1"), _value(self.protected), _value(b""), _value(self.payload))


def to_sign(payload: bytes, key: ec.EllipticCurvePublicKey, key_id: bytes, header: Mapping[str, Value]) -> ToSign:
    """The message before its signature by the owner of `key`. `header` holds the text-labelled protected parameters,
    in order.

    Raises ValueError if the key's curve is none that CCF takes (P-256, P-384, P-521)."""
    algorithm, _ = _curve(key)
    labelled: dict[int | str, Value] = {ALGORITHM: algorithm, KEY_ID: key_id}
    labelled.update(header)
    return ToSign(_map(labelled), payload)


def assemble(message: ToSign, signature: bytes) -> bytes:
    """The signed message. `signature`: r and s side by side, each as long as the curve's order."""
    return _head(6, _SIGN1) + _array(_value(message.protected), _map({}), _value(message.payload), _value(signature))


def sign1(payload: bytes, key: ec.EllipticCurvePrivateKey, key_id: bytes, header: Mapping[str, Value]) -> bytes:
    """The message, signed at once. Raises ValueError as `to_sign` does."""
    message = to_sign(payload, key.public_key(), key_id, header)
    der = key.sign(message.sig_structure, ec.ECDSA(digest_of(key.public_key())))
    return assemble(message, side_by_side(der, key.public_key()))


def digest_of(key: ec.EllipticCurvePublicKey) -> hashes.HashAlgorithm:
    """The digest that goes with the key's curve. Raises ValueError as `to_sign` does."""
    return _curve(key)[1]


def side_by_side(signature: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """A signature by `key` as COSE wants it, given so or in DER (as OpenSSL writes it). Raises ValueError."""
    size = _half(key)
    if len(signature) == 2 * size:
        return signature
    try:
        r, s = decode_dss_signature(signature)
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    except (ValueError, OverflowError) as error:
        raise ValueError(f"a signature of this key is DER, or {2 * size} bytes: r and s side by side") from error


def is_signed_by(key: ec.EllipticCurvePublicKey, message: ToSign, signature: bytes) -> bool:
    """Whether `signature` (side by side) is one of `message` by the owner of `key`."""
    size = _half(key)
    if len(signature) != 2 * size:
        return False
    der = encode_dss_signature(int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))
    try:
        key.verify(der, message.sig_structure, ec.ECDSA(digest_of(key)))
    except InvalidSignature:
        return False
    return True


def _curve(key: ec.EllipticCurvePublicKey) -> tuple[int, hashes.HashAlgorithm]:
    if key.curve.name not in _CURVES:
        raise ValueError(f"CCF takes signatures of P-256, P-384 and P-521, not {key.curve.name}")
    return _CURVES[key.curve.name]


def _half(key: ec.EllipticCurvePublicKey) -> int:
    return (key.curve.key_size + 7) // 8


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
