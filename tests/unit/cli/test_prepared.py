from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pycose.messages.sign1message import Sign1Message

from ccf_operator.ccf import cose, messages
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.identity import parse_certificate
from ccf_operator.cli.prepared import Prepared, load, read_signature
from ccf_operator.cli.signing import Then
from members import GeneratedMember, generate_operator_member

ALICE = generate_operator_member("alice")
CERTIFICATE = parse_certificate(ALICE.certificate_pem, "alice")
REQUEST = messages.ballot(ALICE.member_id, "ab12", messages.YES, 1_800_000_000)


def prepared() -> Prepared:
    return Prepared("bank", None, CERTIFICATE, "You would sign", REQUEST, Then.NOTHING)


def signature(of: bytes, member: GeneratedMember = ALICE) -> bytes:
    """DER, as an HSM or OpenSSL would make it."""
    key = load_pem_private_key(member.key_pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.sign(of, ec.ECDSA(hashes.SHA384()))


def test_what_is_prepared_comes_back_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "vote"
    to_be_signed = prepared().save(file)
    assert load(file) == prepared()
    assert {stat.S_IMODE(one.stat().st_mode) for one in (file, to_be_signed)} == {0o600}
    with pytest.raises(Failure, match="exists"):
        prepared().save(file)


def test_a_signature_of_the_tbs_file_makes_the_very_message_that_the_key_would_have_made(tmp_path: Path) -> None:
    to_be_signed = prepared().save(tmp_path / "vote").read_bytes()
    signed = Sign1Message.decode(load(tmp_path / "vote").sign(signature(to_be_signed)).body)
    direct = Sign1Message.decode(ALICE.sign(REQUEST).body)
    assert (signed.phdr, signed.payload) == (direct.phdr, direct.payload)
    assert len(signed.signature) == 96


@pytest.mark.parametrize("form", ["DER", "r and s", "base64", "base64url", "JSON value", "JSON signature", "folded"])
def test_signatures_are_taken_as_signers_write_them(tmp_path: Path, form: str) -> None:
    der = signature(prepared().message.sig_structure)
    flat = cose.side_by_side(der, CERTIFICATE.key)
    urlsafe = base64.urlsafe_b64encode(flat).decode().rstrip("=")
    written = {
        "DER": der,
        "r and s": flat,
        "base64": base64.b64encode(der) + b"\n",
        "base64url": urlsafe.encode(),
        "JSON value": json.dumps({"kid": "x", "value": urlsafe}).encode(),
        "JSON signature": json.dumps({"signature": base64.b64encode(flat).decode()}).encode(),
        "folded": base64.encodebytes(der),
    }[form]
    file = tmp_path / "signature"
    file.write_bytes(written)
    assert prepared().sign(read_signature(file)).body == cose.assemble(prepared().message, flat)


def test_signatures_of_another_key_or_of_other_bytes_are_refused() -> None:
    mallory = generate_operator_member("mallory")
    for wrong in (signature(prepared().message.sig_structure, mallory), signature(b"something else")):
        with pytest.raises(Failure) as refused:
            prepared().sign(wrong)
        assert refused.value.code is Exit.USAGE


@pytest.mark.parametrize("content", [b"", b"not base64!", b"{", b'{"other": 1}', b"\xff\x00"])
def test_what_is_no_signature_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "signature"
    file.write_bytes(content)
    with pytest.raises(Failure):
        prepared().sign(read_signature(file))


def test_files_that_prepare_has_not_written_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "other"
    with pytest.raises(Failure) as missing:
        load(file)
    assert missing.value.code is Exit.NOT_FOUND
    file.write_text('{"version": 1}')
    with pytest.raises(Failure) as other:
        load(file)
    assert other.value.code is Exit.USAGE
