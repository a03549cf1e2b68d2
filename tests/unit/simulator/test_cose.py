from __future__ import annotations

import cbor2
import ccf.cose
import pytest
from hypothesis import given
from hypothesis import strategies as st

from members import generate_member
from simulator import cose

MEMBER, OTHER = generate_member("a"), generate_member("b")
HEADER = {"ccf.gov.msg.type": "ballot", "ccf.gov.msg.created_at": 1_800_000_000, "ccf.gov.msg.proposal_id": "ab"}


def _signed(payload: bytes = b"hello") -> bytes:
    signed: bytes = ccf.cose.create_cose_sign1(payload, MEMBER.key_pem, MEMBER.certificate_pem, HEADER)
    return signed


def test_a_message_of_the_published_tool() -> None:
    message = cose.decode(_signed())
    assert (message.kid, message.type, message.created_at, message.proposal_id, message.payload) == (
        MEMBER.member_id,
        "ballot",
        1_800_000_000,
        "ab",
        b"hello",
    )
    assert cose.verified(message, MEMBER.certificate_pem)
    assert not cose.verified(message, OTHER.certificate_pem)


ORIGINAL = _signed()


@given(at=st.integers(0, len(ORIGINAL) - 1), bit=st.integers(0, 7))
def test_no_altered_bit_passes(at: int, bit: int) -> None:
    raw = bytearray(ORIGINAL)
    raw[at] ^= 1 << bit
    try:
        message = cose.decode(bytes(raw))
    except cose.Malformed:
        return
    before = cose.decode(ORIGINAL)
    unaltered = (message.protected, message.payload, message.signature) == (
        before.protected,
        before.payload,
        before.signature,
    )
    assert cose.verified(message, MEMBER.certificate_pem) == unaltered


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "outer array"),
        (cbor2.dumps([b"", {}, b"", b""]), "not tagged"),
        (cbor2.dumps(cbor2.CBORTag(18, [b"", {}, b""])), "outer array"),
        (cbor2.dumps(cbor2.CBORTag(18, [b"x", {}, b"", b""])), "protected header"),
        (cbor2.dumps(cbor2.CBORTag(18, [cbor2.dumps({4: b"k"}), {}, b"", b""])), "Missing algorithm"),
        (cbor2.dumps(cbor2.CBORTag(18, [cbor2.dumps({1: -37, 4: b"k"}), {}, b"", b""])), "Unsupported algorithm"),
        (cbor2.dumps(cbor2.CBORTag(18, [cbor2.dumps({1: -35}), {}, b"", b""])), "Missing kid"),
        (cbor2.dumps(cbor2.CBORTag(18, [cbor2.dumps({1: -35, 4: b"k"}), {}, b"", b""])), "Missing created_at"),
        (_signed() + b"\x00", "outer array"),
        (b"\x9f" * 200, "outer array"),
        (b"\x81" * 200, "outer array"),
    ],
)
def test_what_is_no_such_message(raw: bytes, reason: str) -> None:
    with pytest.raises(cose.Malformed, match=reason):
        cose.decode(raw)


_VALUES = st.recursive(
    st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=300) | st.text(max_size=30) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)


@given(value=_VALUES)
def test_decodes_what_a_published_encoder_writes(value: object) -> None:
    assert cose._decode(cbor2.dumps(value)) == value
