import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from ccf_operator.ccf.identity import (
    BadCertificate,
    certificate_ends_at,
    endorsed_by,
    expires_at,
    key_fingerprint,
    node_id,
)
from ccf_operator.ccf.messages import member_id

FIXTURES = Path(__file__).parents[2] / "fixtures" / "ccf"
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CCF Node")])


def certificate(key: ec.EllipticCurvePrivateKey, until: datetime) -> x509.Certificate:
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(until - timedelta(days=1)).not_valid_after(until).sign(key, hashes.SHA384())


def test_a_renewed_certificate_has_the_same_identity_and_another_key_has_another() -> None:
    key, other = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    first = certificate(key, datetime(2020, 1, 1, tzinfo=UTC))
    renewed = certificate(key, datetime(2040, 1, 1, tzinfo=UTC))
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    assert node_id(first.public_bytes(Encoding.DER)) == hashlib.sha256(spki).hexdigest()
    assert key_fingerprint(renewed.public_bytes(Encoding.PEM).decode()) == node_id(first.public_bytes(Encoding.DER))
    assert key_fingerprint(certificate(other, datetime.now(UTC)).public_bytes(Encoding.PEM).decode()) != node_id(
        first.public_bytes(Encoding.DER)
    )


def test_expiry_is_read_of_expired_certificates_too() -> None:
    until = datetime(2020, 1, 1, tzinfo=UTC)
    pem = certificate(ec.generate_private_key(ec.SECP256R1()), until).public_bytes(Encoding.PEM).decode()
    assert expires_at(pem) == until


def test_a_service_certificate_of_ccf_parses() -> None:
    pem = (FIXTURES / "ledgers" / "divergent" / "previous_service_cert.pem").read_text()
    recorded = {
        a["answer"]["body"]["service_certificate"]
        for a in json.loads((FIXTURES / "recordings.json").read_text())
        if a["path"] == "/node/network" and a["answer"].get("status") == 200
    }
    assert len({key_fingerprint(pem), *map(key_fingerprint, recorded)}) > 1


def test_a_certificate_of_a_version_that_there_is_not_is_called_a_bad_one() -> None:
    made = certificate(ec.generate_private_key(ec.SECP384R1()), datetime(2040, 1, 1, tzinfo=UTC))
    der = made.public_bytes(Encoding.DER).replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020107"), 1)
    pem = f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE-----\n"
    service = made.public_bytes(Encoding.PEM).decode()
    reading: list[Callable[[], object]] = [
        lambda: key_fingerprint(pem),
        lambda: expires_at(pem),
        lambda: member_id(pem),
        lambda: node_id(der),
        lambda: certificate_ends_at(der),
        lambda: endorsed_by(der, service),
    ]
    for read in reading:
        with pytest.raises(BadCertificate):
            read()


@pytest.mark.parametrize(
    "text",
    ["", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----"],
)
def test_garbage_is_called_a_bad_certificate(text: str) -> None:
    with pytest.raises(BadCertificate):
        key_fingerprint(text)
    with pytest.raises(BadCertificate):
        expires_at(text)
    with pytest.raises(BadCertificate):
        node_id(text.encode())
