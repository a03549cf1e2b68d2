"""Makes consortium members for tests and the demo: keys and self-signed certificates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from ccf_operator.ccf.governance import Member

VALIDITY = timedelta(days=365)


@dataclass(frozen=True, repr=False)
class GeneratedMember(Member):
    """A member under a name, with what others need to know of it."""

    name: str = ""

    @property
    def encryption_public_key_pem(self) -> str | None:
        if self.encryption_key_pem is None:
            return None
        public = load_pem_private_key(self.encryption_key_pem.encode(), None).public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def generate_member(name: str) -> GeneratedMember:
    """A recovery member: P-384 identity valid from a day ago for a year, RSA-2048 encryption key."""
    key = rsa.generate_private_key(65537, 2048)
    certificate, identity = _identity(name)
    return GeneratedMember(certificate, identity, _pem(key), name)


def generate_operator_member(name: str) -> GeneratedMember:
    """A member without an encryption key: it gets no recovery share."""
    certificate, identity = _identity(name)
    return GeneratedMember(certificate, identity, None, name)


def _identity(name: str) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP384R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    # A day early, so that a node whose clock is behind takes it, too.
    start = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA384())
    )
    return certificate.public_bytes(Encoding.PEM).decode(), _pem(key)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
