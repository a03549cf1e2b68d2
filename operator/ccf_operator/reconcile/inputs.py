"""What a spec refers to, resolved: the constitution's files and the members' certificates and keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ccf_operator.api.spec import CCFNetworkSpec, Member, PemSource
from ccf_operator.ccf.identity import BadCertificate, load_certificate
from ccf_operator.domain.observation import Inputs, MemberInput
from ccf_operator.render.config_map import to_json

SIZE_LIMIT = 900_000
"""Bytes of the constitution and of the members' files and data together; they go into one ConfigMap, which may hold a
MiB, beside CCF's configuration."""

Data = Mapping[str, str]
"""The data of a ConfigMap."""


def needed_config_maps(spec: CCFNetworkSpec) -> frozenset[str]:
    """Names of the ConfigMaps the spec refers to."""
    sources = [s for m in spec.members for s in (m.certificate, m.encryption_public_key) if s is not None]
    refs = {source.config_map_key_ref.name for source in sources if source.config_map_key_ref is not None}
    return frozenset({spec.constitution.config_map_ref.name, *refs})


def resolve(spec: CCFNetworkSpec, config_maps: Mapping[str, Data | None]) -> Inputs:
    """The inputs, given the data of each needed ConfigMap (None: it does not exist)."""
    problems: list[str] = []
    constitution = _constitution(spec, config_maps, problems)
    members = tuple(_member(member, config_maps, problems) for member in spec.members)
    sizes = dict(_sizes(constitution, members))
    if (size := sum(sizes.values())) > SIZE_LIMIT:
        largest = max(sizes, key=sizes.__getitem__)
        problems.append(
            f"the constitution and the members' files and data together are {size} bytes; at most {SIZE_LIMIT} fit "
            f"into the first node's ConfigMap; the largest is {largest} with {sizes[largest]} bytes"
        )
    return Inputs(constitution=constitution, members=members, problems=tuple(dict.fromkeys(problems)))


def _sizes(constitution: tuple[tuple[str, str], ...], members: tuple[MemberInput, ...]) -> Iterator[tuple[str, int]]:
    """How many bytes each file takes in the ConfigMap, by what it is."""
    for key, text in constitution:
        yield f"{key} of the constitution", len(text.encode())
    for member in members:
        yield f"the certificate of member {member.name}", len(member.certificate.encode())
        yield f"the encryption key of member {member.name}", len((member.encryption_public_key or "").encode())
        if member.data is not None:
            yield f"the data of member {member.name}", len(to_json(member.data).encode())


def _constitution(
    spec: CCFNetworkSpec, config_maps: Mapping[str, Data | None], problems: list[str]
) -> tuple[tuple[str, str], ...]:
    name = spec.constitution.config_map_ref.name
    data = config_maps.get(name)
    if data is None:
        problems.append(f"ConfigMap {name} (constitution) does not exist")
        return ()
    keys = list(spec.constitution.files) or sorted(key for key in data if key.endswith(".js"))
    if not keys:
        problems.append(f"ConfigMap {name} (constitution) has no key that ends in .js")
    missing = [key for key in keys if key not in data]
    problems.extend(f"ConfigMap {name} (constitution) has no key {key}" for key in missing)
    empty = [key for key in keys if key in data and not data[key].strip()]
    problems.extend(f"key {key} of ConfigMap {name} (constitution) is empty" for key in empty)
    return tuple((key, data[key]) for key in keys if key in data)


def _member(member: Member, config_maps: Mapping[str, Data | None], problems: list[str]) -> MemberInput:
    certificate = _pem(member.certificate, f"certificate of member {member.name}", config_maps, problems)
    if certificate:
        try:
            load_certificate(certificate)
        except BadCertificate as error:
            problems.append(f"certificate of member {member.name} is {error}")
    key: str | None = None
    if member.encryption_public_key is not None:
        what = f"encryption key of member {member.name}"
        key = _pem(member.encryption_public_key, what, config_maps, problems)
        if key:
            _check_key(key, what, problems)
    return MemberInput(
        name=member.name,
        certificate=certificate,
        encryption_public_key=key,
        data=member.data,
        recovery_role=member.recovery_role.value if member.recovery_role is not None else None,
    )


def _check_key(pem: str, what: str, problems: list[str]) -> None:
    if "PRIVATE KEY" in pem:
        problems.append(f"{what} is a private key; give the public one, and make a new pair: this one is exposed")
        return
    try:
        key = load_pem_public_key(pem.encode())
    except Exception as error:  # the library raises UnsupportedAlgorithm and others for keys it does not know
        problems.append(f"{what} is not a PEM public key: {error}")
        return
    if not isinstance(key, RSAPublicKey):
        problems.append(f"{what} is not an RSA public key")


def _pem(source: PemSource, what: str, config_maps: Mapping[str, Data | None], problems: list[str]) -> str:
    if source.value is not None:
        return source.value
    assert source.config_map_key_ref is not None
    name, key = source.config_map_key_ref.name, source.config_map_key_ref.key
    data = config_maps.get(name)
    if data is None:
        problems.append(f"ConfigMap {name} ({what}) does not exist")
        return ""
    if key not in data:
        problems.append(f"ConfigMap {name} ({what}) has no key {key}")
        return ""
    return data[key]
