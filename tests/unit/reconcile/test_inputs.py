"""What a spec refers to: resolved, or said in words that tell a person what to do."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.reconcile.inputs import SIZE_LIMIT, needed_config_maps, resolve


def _certificate() -> str:
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    signed = (
        built.serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=1))
        .sign(key, hashes.SHA384())
    )
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def _public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


CERTIFICATE = _certificate()
RSA = rsa.generate_private_key(65537, 2048)
PRIVATE = RSA.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
MEMBERS = {"cert.pem": CERTIFICATE, "key.pem": _public(RSA)}
CONSTITUTION = {"b.js": "b", "a.js": "a", "README": "no code"}


def spec(*, files: list[str] | None = None, member: dict[str, Any] | None = None) -> CCFNetworkSpec:
    return CCFNetworkSpec.model_validate(
        {
            "image": "app",
            "constitution": {"configMapRef": {"name": "code"}, "files": files or []},
            "members": [
                {
                    "name": "alice",
                    "certificate": {"configMapKeyRef": {"name": "people", "key": "cert.pem"}},
                    "encryptionPublicKey": {"configMapKeyRef": {"name": "people", "key": "key.pem"}},
                    **(member or {}),
                }
            ],
        }
    )


def problems(wanted: CCFNetworkSpec, **config_maps: dict[str, str] | None) -> str:
    return "; ".join(resolve(wanted, {"code": CONSTITUTION, "people": MEMBERS, **config_maps}).problems)


def test_everything_there() -> None:
    found = resolve(spec(member={"data": {"office": 3}}), {"code": CONSTITUTION, "people": MEMBERS})

    assert found.problems == ()
    assert [name for name, _ in found.constitution] == ["a.js", "b.js"]
    assert found.members[0].certificate == CERTIFICATE
    assert found.members[0].data == {"office": 3}


def test_the_order_given_is_kept() -> None:
    found = resolve(spec(files=["b.js", "README"]), {"code": CONSTITUTION, "people": MEMBERS})

    assert [name for name, _ in found.constitution] == ["b.js", "README"]


def test_only_what_is_referred_to_is_asked_for() -> None:
    inline = spec(member={"certificate": {"value": CERTIFICATE}, "encryptionPublicKey": {"value": _public(RSA)}})

    assert needed_config_maps(spec()) == {"code", "people"}
    assert needed_config_maps(inline) == {"code"}
    assert problems(inline, people=None) == ""


def test_what_is_missing_is_named() -> None:
    assert "ConfigMap code (constitution) does not exist" in problems(spec(), code=None)
    assert "ConfigMap people (certificate of member alice) does not exist" in problems(spec(), people=None)
    assert "has no key key.pem" in problems(spec(), people={"cert.pem": CERTIFICATE})
    assert "has no key c.js" in problems(spec(files=["a.js", "c.js"]))
    assert "no key that ends in .js" in problems(spec(), code={"README": "x"})
    assert "key a.js of ConfigMap code (constitution) is empty" in problems(spec(), code={"a.js": " \n"})


def test_what_does_not_parse_is_said_and_never_raised() -> None:
    assert "not a PEM certificate" in problems(spec(), people={**MEMBERS, "cert.pem": "nonsense"})
    assert "not a PEM public key" in problems(spec(), people={**MEMBERS, "key.pem": "nonsense"})
    elliptic = _public(ec.generate_private_key(ec.SECP256R1()))
    assert "not an RSA public key" in problems(spec(), people={**MEMBERS, "key.pem": elliptic})


def test_a_private_key_is_refused_and_not_repeated() -> None:
    said = problems(spec(), people={**MEMBERS, "key.pem": PRIVATE})

    assert "private key" in said
    assert PRIVATE.splitlines()[1] not in said


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"text": "x" * 900_001}, "the data of member alice"),
        ({"quotes": '"' * 460_000}, "the data of member alice"),
        ({"text": "ж" * 160_000}, "the data of member alice"),
        (None, "a.js of the constitution with 900001 bytes"),
    ],
    ids=["text", "what JSON escapes", "what is not ASCII", "the constitution"],
)
def test_more_than_a_config_map_holds_is_refused_before_it_is_tried(data: dict[str, str] | None, named: str) -> None:
    code = {"a.js": "x" * (SIZE_LIMIT + 1 if data is None else 1)}
    found = problems(spec(member={"data": data}), code=code)
    assert "at most 900000 fit" in found
    assert named in found


def test_what_fits_is_taken() -> None:
    assert "at most" not in problems(spec(member={"data": {"text": "x" * 400_000}}), code={"a.js": "x" * 400_000})
