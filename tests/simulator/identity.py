"""Keys and certificates of nodes and services, shaped as CCF's own (CCF facts §3, §7.4)."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
from dataclasses import dataclass
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

_CURVES: dict[str, ec.EllipticCurve] = {"Secp384R1": ec.SECP384R1(), "Secp256R1": ec.SECP256R1()}
_VALID_FROM = (
    "%y%m%d%H%M%SZ",
    "%Y%m%d%H%M%SZ",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S%z",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%d %H:%M:%S.%f%z",
    "%Y-%m-%dT%H:%M:%SZ",
)


@dataclass(frozen=True)
class Validity:
    start: datetime.datetime  # UTC
    days: int

    @property
    def end(self) -> datetime.datetime:
        return self.start + datetime.timedelta(days=self.days, seconds=-1)

    @classmethod
    def parse(cls, valid_from: str, days: int) -> Validity:
        """Of a governance action's `valid_from` (CCF facts §6.4). Raises ValueError."""
        for form in _VALID_FROM:
            try:
                parsed = datetime.datetime.strptime(valid_from, form)
            except ValueError:
                continue
            known = parsed.replace(tzinfo=datetime.UTC) if parsed.tzinfo is None else parsed.astimezone(datetime.UTC)
            return cls(known, days)
        raise ValueError(f"{valid_from!r} is not a time")

    @classmethod
    def of(cls, certificate_pem: str) -> Validity:
        """The validity of a certificate, in whole days from its start."""
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        start = certificate.not_valid_before_utc
        length = certificate.not_valid_after_utc - start + datetime.timedelta(seconds=1)
        return cls(start, max(1, round(length / datetime.timedelta(days=1))))


@dataclass(frozen=True)
class KeyPair:
    private: ec.EllipticCurvePrivateKey

    @classmethod
    def generate(cls, curve: str = "Secp384R1") -> KeyPair:
        return cls(ec.generate_private_key(_CURVES[curve]))

    @classmethod
    def from_pem(cls, pem: bytes) -> KeyPair:
        key = load_pem_private_key(pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(key)

    @cached_property
    def private_pem(self) -> bytes:
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @cached_property
    def public_pem(self) -> str:
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @cached_property
    def public_der(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the public key in DER, lower-case hex: a node's id."""
        return hashlib.sha256(self.public_der).hexdigest()


def self_signed(key: KeyPair, subject: str, alt_names: tuple[str, ...], validity: Validity) -> str:
    """A node's own certificate, in PEM."""
    name = x509.Name.from_rfc4514_string(subject)
    builder = _builder(name, name, key.private.public_key(), key.private.public_key(), validity)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return _pem(_with_alt_names(builder, _general_names(alt_names)).sign(key.private, _hash(key.private)))


def service_certificate(key: KeyPair, subject: str, validity: Validity) -> str:
    """A service's self-signed certificate, in PEM."""
    name = x509.Name.from_rfc4514_string(subject)
    builder = _builder(name, name, key.private.public_key(), key.private.public_key(), validity)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"), False
    )
    usage |= {"encipher_only": False, "decipher_only": False, "digital_signature": True, "key_cert_sign": True}
    builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
    return _pem(builder.sign(key.private, _hash(key.private)))


def signing_request(key: KeyPair, subject: str, alt_names: tuple[str, ...]) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name.from_rfc4514_string(subject))
    names = _general_names(alt_names)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key.private, _hash(key.private)).public_bytes(Encoding.PEM).decode()


def endorse(csr_pem: str, service: KeyPair, service_certificate_pem: str, validity: Validity) -> str:
    """The certificate that a service gives a node for its signing request, in PEM."""
    csr = x509.load_pem_x509_csr(csr_pem.encode())
    issuer = x509.load_pem_x509_certificate(service_certificate_pem.encode()).subject
    public = csr.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    builder = _builder(csr.subject, issuer, public, service.private.public_key(), validity)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    for extension in csr.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            builder = builder.add_extension(extension.value, critical=False)
    return _pem(builder.sign(service.private, _hash(service.private)))


def public_key_of_csr(csr_pem: str) -> bytes:
    """DER of a signing request's public key. Raises ValueError."""
    csr = x509.load_pem_x509_csr(csr_pem.encode())
    return csr.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def certificate_key(certificate_pem: str) -> bytes:
    """DER of a certificate's public key. Raises ValueError."""
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_id(public_der: bytes) -> str:
    """The node id that goes with a public key in DER."""
    return hashlib.sha256(public_der).hexdigest()


def key_pem(public_der: bytes) -> str:
    return load_der_public_key(public_der).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def subject(certificate_pem: str) -> str:
    """In RFC 4514 form, e.g. "CN=CCF Service"."""
    return x509.load_pem_x509_certificate(certificate_pem.encode()).subject.rfc4514_string()


def certificate_der(certificate_pem: str) -> bytes:
    return x509.load_pem_x509_certificate(certificate_pem.encode()).public_bytes(Encoding.DER)


def to_pem(certificate_der_bytes: bytes) -> str:
    return _pem(x509.load_der_x509_certificate(certificate_der_bytes))


def is_current(certificate_pem: str, now: datetime.datetime) -> bool:
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    validity: Validity,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.start)
        .not_valid_after(validity.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _with_alt_names(builder: x509.CertificateBuilder, names: list[x509.GeneralName]) -> x509.CertificateBuilder:
    return builder.add_extension(x509.SubjectAlternativeName(names), critical=False) if names else builder


def _general_names(alt_names: tuple[str, ...]) -> list[x509.GeneralName]:
    """Of CCF's "iPAddress:1.2.3.4" and "dNSName:foo". Raises ValueError."""
    names: list[x509.GeneralName] = []
    for one in alt_names:
        kind, _, value = one.partition(":")
        if kind == "iPAddress":
            names.append(x509.IPAddress(ipaddress.ip_address(value)))
        elif kind == "dNSName":
            names.append(x509.DNSName(value))
        else:
            raise ValueError(f"{one!r} is not a subject alternative name")
    return names


def _hash(key: ec.EllipticCurvePrivateKey) -> hashes.SHA384 | hashes.SHA256:
    return hashes.SHA384() if key.curve.name == "secp384r1" else hashes.SHA256()


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
