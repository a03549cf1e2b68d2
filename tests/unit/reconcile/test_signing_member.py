from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from ccf_operator.ccf.messages import member_id
from ccf_operator.domain.effects import AcknowledgeState
from ccf_operator.domain.reasons import MemberReason
from ccf_operator.kube.errors import Conflict, Forbidden, KubeError, Unavailable
from ccf_operator.kube.gateway import Raw
from ccf_operator.reconcile.signing_member import NotSigned, Recipient, SigningMember
from members import generate_operator_member

MEMBER = generate_operator_member("operator")


def api(answer: Raw | KubeError | None) -> SigningMember:
    """Signs with what an API server answers to whoever reads the Secret."""

    async def read(namespace: str, name: str) -> Raw | None:
        if isinstance(answer, KubeError):
            raise answer
        return answer

    return SigningMember(read)


def secret(**texts: str) -> Raw:
    return {"data": {key.replace("_", "."): base64.b64encode(text.encode()).decode() for key, text in texts.items()}}


def key_pem(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
    protection: KeySerializationEncryption | None = None,
) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection or NoEncryption()).decode()


def certificate(key: ec.EllipticCurvePrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "operator")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    now = datetime.now(UTC)
    made = made.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return made.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


GOOD = secret(tls_crt=MEMBER.certificate_pem, tls_key=MEMBER.key_pem)
P384, K1 = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP256K1())


async def seen(raw: Raw | None) -> Any:
    return await api(raw).see("ns", "bank-operator")


async def test_a_good_secret_shows_whose_it_is_and_nothing_else() -> None:
    view = await seen(GOOD)
    assert (view.member_id, view.problem) == (member_id(MEMBER.certificate_pem), None)
    assert MEMBER.key_pem.splitlines()[1] not in repr(view)


async def test_a_key_in_the_older_form_and_a_chain_are_taken_too() -> None:
    older = P384.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    chain = certificate(P384) + MEMBER.certificate_pem
    assert (await seen(secret(tls_crt=chain, tls_key=older))).member_id == member_id(certificate_of(chain))


def certificate_of(chain: str) -> str:
    end = "-----END CERTIFICATE-----\n"
    return chain.partition(end)[0] + end


@pytest.mark.parametrize(
    ("raw", "reason", "said"),
    [
        (None, MemberReason.SECRET_MISSING, "kubectl -n ns create secret tls bank-operator"),
        ({}, MemberReason.SECRET_UNUSABLE, "has no tls.crt"),
        (secret(tls_crt=MEMBER.certificate_pem), MemberReason.SECRET_UNUSABLE, "has no tls.key"),
        ({"data": {"tls.crt": "?", "tls.key": "?"}}, MemberReason.SECRET_UNUSABLE, "is not text"),
        (secret(tls_crt="x", tls_key=MEMBER.key_pem), MemberReason.SECRET_UNUSABLE, "not a PEM certificate"),
        (secret(tls_crt=MEMBER.certificate_pem, tls_key="x"), MemberReason.SECRET_UNUSABLE, "not a PEM private key"),
        (
            secret(tls_crt=MEMBER.certificate_pem, tls_key=key_pem(P384, BestAvailableEncryption(b"secret"))),
            MemberReason.SECRET_UNUSABLE,
            "without a passphrase",
        ),
        (
            secret(tls_crt=MEMBER.certificate_pem, tls_key=key_pem(rsa.generate_private_key(65537, 2048))),
            MemberReason.SECRET_UNUSABLE,
            "not an elliptic curve key",
        ),
        (
            secret(tls_crt=MEMBER.certificate_pem, tls_key=key_pem(ed25519.Ed25519PrivateKey.generate())),
            MemberReason.SECRET_UNUSABLE,
            "not an elliptic curve key",
        ),
        (secret(tls_crt=certificate(K1), tls_key=key_pem(K1)), MemberReason.SECRET_UNUSABLE, "secp256k1"),
        (
            secret(tls_crt=MEMBER.certificate_pem, tls_key=key_pem(P384)),
            MemberReason.SECRET_UNUSABLE,
            "is not the key of the certificate",
        ),
    ],
)
async def test_what_is_wrong_is_said_without_the_key(raw: Raw | None, reason: MemberReason, said: str) -> None:
    view = await seen(raw)
    assert (view.problem, view.member_id) == (reason, None)
    assert said in view.detail
    assert "PRIVATE KEY" not in view.detail


async def test_an_api_server_that_refuses_or_is_away_breaks_nothing() -> None:
    refused = await api(Forbidden("no")).see("ns", "bank-operator")
    assert refused.problem is MemberReason.SECRET_FORBIDDEN
    assert "{namespace: ns, secret: bank-operator}" in refused.detail
    away = await api(Unavailable("no answer")).see("ns", "bank-operator")
    assert away.problem is MemberReason.SECRET_UNUSABLE


async def right() -> None:
    """Nothing has changed since."""


NOWHERE = Recipient("127.0.0.1", "00" * 32, MEMBER.certificate_pem)


async def test_nothing_is_signed_with_a_key_that_was_put_there_since() -> None:
    asks = AcknowledgeState("bank-0", "ff" * 32, "token")
    with pytest.raises(NotSigned, match="another member"):
        await api(GOOD).sign(asks, "ns", "bank-operator", NOWHERE, right)


async def test_nothing_is_signed_without_a_usable_key() -> None:
    asks = AcknowledgeState("bank-0", "ff" * 32, "token")
    with pytest.raises(NotSigned, match="does not exist"):
        await api(None).sign(asks, "ns", "bank-operator", NOWHERE, right)


async def test_a_node_that_is_not_there_has_refused_nothing() -> None:
    asks = AcknowledgeState("bank-0", member_id(MEMBER.certificate_pem), "token")
    signing = api(GOOD)
    with pytest.raises(NotSigned):
        await signing.sign(asks, "ns", "bank-operator", NOWHERE, right)
    assert (await signing.see("ns", "bank-operator")).refused == {}


async def test_what_is_out_of_date_by_then_is_not_sent() -> None:
    async def outdated() -> None:
        raise Conflict("the network has changed meanwhile")

    asks = AcknowledgeState("bank-0", member_id(MEMBER.certificate_pem), "token")
    with pytest.raises(Conflict):
        await api(GOOD).sign(asks, "ns", "bank-operator", NOWHERE, outdated)
