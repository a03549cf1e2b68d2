from __future__ import annotations

import datetime
import hashlib

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from simulator import identity
from simulator.identity import KeyPair, Validity

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
VALIDITY = Validity(NOW, 30)


def loaded(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def test_a_node_is_called_by_its_key() -> None:
    key = KeyPair.generate()
    certificate = identity.self_signed(key, "CN=CCF Node", ("dNSName:pod.svc",), VALIDITY)
    assert key.fingerprint == hashlib.sha256(identity.certificate_key(certificate)).hexdigest()


def test_names_are_taken_into_the_certificates() -> None:
    key = KeyPair.generate()
    service = KeyPair.generate()
    root = identity.service_certificate(service, "CN=CCF Service", VALIDITY)
    names = ("dNSName:pod.svc", "iPAddress:10.0.0.1")
    endorsed = identity.endorse(identity.signing_request(key, "CN=CCF Node", names), service, root, VALIDITY)
    for pem in (endorsed, identity.self_signed(key, "CN=CCF Node", names, VALIDITY)):
        found = loaded(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert found.get_values_for_type(x509.DNSName) == ["pod.svc"]
        assert [str(one) for one in found.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]


def test_an_endorsed_certificate_chains_to_the_service() -> None:
    service, other = KeyPair.generate(), KeyPair.generate()
    root = loaded(identity.service_certificate(service, "CN=CCF Service", VALIDITY))
    stranger = loaded(identity.service_certificate(other, "CN=CCF Service", VALIDITY))
    request = identity.signing_request(KeyPair.generate(), "CN=CCF Node", ("dNSName:pod.svc",))
    pem = identity.service_certificate(service, "CN=CCF Service", VALIDITY)
    endorsed = loaded(identity.endorse(request, service, pem, VALIDITY))
    endorsed.verify_directly_issued_by(root)
    with pytest.raises(InvalidSignature):
        endorsed.verify_directly_issued_by(stranger)


def test_the_last_second_is_not_part_of_the_validity() -> None:
    certificate = loaded(identity.self_signed(KeyPair.generate(), "CN=CCF Node", (), VALIDITY))
    assert certificate.not_valid_after_utc == NOW + datetime.timedelta(days=30) - datetime.timedelta(seconds=1)


def test_a_validity_is_read_back() -> None:
    pem = identity.self_signed(KeyPair.generate(), "CN=CCF Node", (), VALIDITY)
    assert Validity.of(pem) == VALIDITY


@pytest.mark.parametrize(
    "text",
    ["300101000000Z", "20300101000000Z", "2030-01-01 00:00:00", "2030-01-01 01:00:00+01:00", "2030-01-01T00:00:00Z"],
)
def test_the_forms_of_valid_from(text: str) -> None:
    assert Validity.parse(text, 30) == VALIDITY


def test_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="not a time"):
        Validity.parse("tomorrow", 1)


def test_keys_are_of_the_configured_curve() -> None:
    assert isinstance(KeyPair.generate("Secp256R1").private.curve, ec.SECP256R1)
