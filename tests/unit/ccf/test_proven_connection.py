from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ccf_operator.ccf.identity import BadCertificate, node_id
from ccf_operator.ccf.proven_connection import EndorsedPeer, NotEndorsed, NotTheNode

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


def issue(subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, by: ec.EllipticCurvePrivateKey) -> bytes:
    """A certificate that expired long ago, DER."""
    name = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (subject, issuer)]
    builder = x509.CertificateBuilder().subject_name(name[0]).issuer_name(name[1]).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(LONG_AGO).not_valid_after(LONG_AGO + timedelta(days=1))
    return builder.sign(by, hashes.SHA384()).public_bytes(Encoding.DER)


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


def pem(der: bytes) -> str:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


def test_an_endorsed_node_is_admitted_though_all_certificates_have_expired() -> None:
    service, node = key(), key()
    certificate = issue("node", node, "CCF Service", service)
    EndorsedPeer(pem(issue("CCF Service", service, "CCF Service", service)), node_id(certificate)).admit(certificate)


def test_the_right_node_endorsed_by_another_service_of_the_same_name_is_not() -> None:
    service, other, node = key(), key(), key()
    certificate = issue("node", node, "CCF Service", other)
    peer = EndorsedPeer(pem(issue("CCF Service", service, "CCF Service", service)), node_id(certificate))
    with pytest.raises(NotEndorsed):
        peer.admit(certificate)


def test_another_node_of_the_same_service_is_not() -> None:
    service, node, other = key(), key(), key()
    expected = node_id(issue("node", node, "CCF Service", service))
    peer = EndorsedPeer(pem(issue("CCF Service", service, "CCF Service", service)), expected)
    with pytest.raises(NotTheNode):
        peer.admit(issue("node", other, "CCF Service", service))


def test_a_peer_without_a_certificate_is_not() -> None:
    service = key()
    with pytest.raises(BadCertificate):
        EndorsedPeer(pem(issue("s", service, "s", service)), "ab").admit(None)
