"""Who signs: a member's certificate, and its key in a file or elsewhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ccf_operator.ccf.governance import Member
from ccf_operator.ccf.messages import member_id
from ccf_operator.cli.exits import Exit, Failure


@dataclass(frozen=True)
class Certificate:
    """A member's certificate."""

    pem: str
    member_id: str
    key: ec.EllipticCurvePublicKey


def read(file: Path, what: str, do: str | None = None) -> str:
    """The text of a file. `do`: what to do if it cannot be had. Raises Failure."""
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not a text file"
        raise Failure(Exit.NOT_FOUND, f"{what} {file}: {reason}", do or f"give the path of {what}, PEM") from error


def read_share(file: Path) -> bytes:
    """A decrypted recovery share, of a file or, as `-`, of the standard input. Raises Failure."""
    try:
        share = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Failure(Exit.NOT_FOUND, f"{file}: {error.strerror}", "give the file with the decrypted share") from error
    if not share:
        raise Failure(Exit.USAGE, "the decrypted share is empty", "decrypt it first: kubectl ccf share --help")
    return share


def load_certificate(file: Path) -> Certificate:
    """A member's certificate. Raises Failure."""
    return parse_certificate(read(file, "the member's certificate"), str(file))


def parse_certificate(pem: str, where: str) -> Certificate:
    """The same, of its text. Raises Failure."""
    try:
        identity = member_id(pem)
        key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    except ValueError as error:
        raise Failure(Exit.USAGE, f"{where} is not a PEM certificate", "give the member's certificate") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Failure(
            Exit.USAGE, f"the key of {where} is not an elliptic curve key", "CCF takes P-256, P-384 and P-521"
        )
    return Certificate(pem, identity, key)


def load_member(certificate: Path, key: Path) -> Member:
    """A member that signs with a key file. Raises Failure, also if key and certificate do not belong together."""
    known = load_certificate(certificate)
    pem = read(key, "the member's signing key")
    try:
        private = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError) as error:
        raise Failure(
            Exit.USAGE,
            f"{key} cannot be read as a PEM private key: {error}",
            "give the file without a passphrase, or sign elsewhere: kubectl ccf prepare --help",
        ) from error
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise Failure(Exit.USAGE, f"{key} is not an elliptic curve key", "give the member's signing key")
    if private.public_key().public_numbers() != known.key.public_numbers():
        raise Failure(Exit.USAGE, f"{key} is not the key of {certificate}", "give a certificate and its own key")
    return Member(known.pem, pem)
