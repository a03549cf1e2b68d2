from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pycose.keys.curves import P256, P384, P521
from pycose.keys.ec2 import EC2Key
from pycose.messages.sign1message import Sign1Message

from ccf_operator.ccf.cose import Value, assemble, digest_of, is_signed_by, side_by_side, sign1, to_sign

HEADER: dict[str, Value] = {"text": "väl", "bytes": b"\x00", "small": 3, "negative": -70000, "big": 1_800_000_000}


@pytest.mark.parametrize(
    ("curve", "name"),
    [(ec.SECP256R1(), P256), (ec.SECP384R1(), P384), (ec.SECP521R1(), P521)],
    ids=lambda one: getattr(one, "name", None),
)
@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 70_000])
def test_a_published_library_verifies_and_reads_it(curve: ec.EllipticCurve, name: type, size: int) -> None:
    key = ec.generate_private_key(curve)
    raw = sign1(b"x" * size, key, b"key id", HEADER)
    message = Sign1Message.decode(raw)
    point = key.public_key().public_numbers()
    width = (curve.key_size + 7) // 8
    message.key = EC2Key(crv=name, x=point.x.to_bytes(width, "big"), y=point.y.to_bytes(width, "big"))
    assert message.verify_signature()
    assert message.payload == b"x" * size
    named = {label: value for label, value in message.phdr.items() if isinstance(label, str)}
    assert named == HEADER
    assert message.uhdr == {}
    message.payload = b"y" * (size + 1)
    assert not message.verify_signature()


def test_a_curve_ccf_does_not_take() -> None:
    with pytest.raises(ValueError, match="secp256k1"):
        sign1(b"", ec.generate_private_key(ec.SECP256K1()), b"", {})


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_a_signature_made_elsewhere_makes_the_same_kind_of_message(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    message = to_sign(b"payload", key.public_key(), b"key id", HEADER)
    der = key.sign(message.sig_structure, ec.ECDSA(digest_of(key.public_key())))
    signature = side_by_side(der, key.public_key())
    assert is_signed_by(key.public_key(), message, signature)
    assert side_by_side(signature, key.public_key()) == signature
    decoded = Sign1Message.decode(assemble(message, signature))
    assert (decoded.payload, decoded.signature) == (b"payload", signature)


def test_signatures_of_another_key_another_message_or_another_length_are_not_ones() -> None:
    key, other = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    message = to_sign(b"payload", key.public_key(), b"key id", HEADER)
    der = other.sign(message.sig_structure, ec.ECDSA(digest_of(key.public_key())))
    theirs = side_by_side(der, key.public_key())
    assert not is_signed_by(key.public_key(), message, theirs)
    assert not is_signed_by(other.public_key(), to_sign(b"else", key.public_key(), b"key id", HEADER), theirs)
    assert not is_signed_by(other.public_key(), message, theirs[:-1])
    with pytest.raises(ValueError, match="96 bytes"):
        side_by_side(b"no signature", key.public_key())
