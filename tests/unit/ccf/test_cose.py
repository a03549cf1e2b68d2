from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pycose.keys.curves import P256, P384, P521
from pycose.keys.ec2 import EC2Key
from pycose.messages.sign1message import Sign1Message

from ccf_operator.ccf.cose import Value, sign1

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
