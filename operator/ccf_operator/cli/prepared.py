"""A message on its way to a key that is elsewhere: what is kept in a file between `prepare` and `finish`."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from ccf_operator.ccf.cose import ToSign, assemble, digest_of, is_signed_by, side_by_side, to_sign
from ccf_operator.ccf.messages import Message, Request
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.identity import Certificate, parse_certificate
from ccf_operator.cli.signing import Then


class _Stored(BaseModel):
    version: int
    network: str
    node: str | None
    certificate: str
    title: str
    path: str
    type: str
    payload: str
    created_at: int
    proposal_id: str | None
    then: Then


@dataclass(frozen=True)
class Prepared:
    """A message that waits for its signature. `node`: the pod it is meant for, None for whichever suits."""

    network: str
    node: str | None
    certificate: Certificate
    title: str
    request: Request
    then: Then

    @property
    def message(self) -> ToSign:
        """The COSE message without its signature."""
        return to_sign(
            self.request.payload, self.certificate.key, self.certificate.member_id.encode(), self.request.header
        )

    @property
    def is_secret(self) -> bool:
        """Whether the files hold a recovery share in the clear."""
        return self.request.type == "recovery_share"

    @property
    def digest_name(self) -> str:
        """The digest that the signature is over: `sha256`, `sha384` or `sha512`."""
        return digest_of(self.certificate.key).name

    def save(self, file: Path) -> Path:
        """Write the message, and beside it (`.tbs`) the bytes to sign; that second path.

        Only the owner can read them: a recovery share is a secret. Raises Failure if one of them exists."""
        stored = _Stored(
            version=1,
            network=self.network,
            node=self.node,
            certificate=self.certificate.pem,
            title=self.title,
            path=self.request.path,
            type=self.request.type,
            payload=base64.b64encode(self.request.payload).decode(),
            created_at=self.request.created_at,
            proposal_id=self.request.proposal_id,
            then=self.then,
        )
        to_be_signed = beside(file)
        write_new(file, (stored.model_dump_json(indent=1) + "\n").encode())
        write_new(to_be_signed, self.message.sig_structure)
        return to_be_signed

    def sign(self, signature: bytes) -> Message:
        """The signed message, of a signature as `read_signature` gives it. Raises Failure if it is not one of this."""
        try:
            r_s = side_by_side(signature, self.certificate.key)
        except ValueError as error:
            raise Failure(Exit.USAGE, f"this is no signature: {error}", _HOW) from error
        if not is_signed_by(self.certificate.key, self.message, r_s):
            raise Failure(
                Exit.USAGE,
                "the signature is not one of these bytes by the key of this certificate",
                f"sign the .tbs file whole, with {self.digest_name} and the member's own key",
            )
        return Message(self.request.path, assemble(self.message, r_s))


def beside(file: Path) -> Path:
    """The file with the bytes to sign, beside the one with the message."""
    return file.with_name(f"{file.name}.tbs")


_HOW = "give what the signer wrote: DER or r and s side by side, binary, in base64, or in JSON under 'value'"


def load(file: Path) -> Prepared:
    """A message written by `save`. Raises Failure."""
    try:
        stored = _Stored.model_validate_json(file.read_text())
        payload = base64.b64decode(stored.payload)
    except OSError as error:
        raise Failure(Exit.NOT_FOUND, f"{file}: {error.strerror}", "give the file that prepare has written") from error
    except (ValidationError, ValueError) as error:
        raise Failure(
            Exit.USAGE, f"{file} was not written by prepare", "give the file that prepare has written"
        ) from error
    request = Request(stored.path, stored.type, payload, stored.created_at, stored.proposal_id)
    certificate = parse_certificate(stored.certificate, str(file))
    return Prepared(stored.network, stored.node, certificate, stored.title, request, stored.then)


def read_signature(file: Path) -> bytes:
    """A signature as signers write it: binary, base64 (either alphabet), or JSON with it under `value`, `result` or
    `signature`. Raises Failure."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise Failure(Exit.NOT_FOUND, f"{file}: {error.strerror}", "give the file with the signature") from error
    try:
        text = raw.decode("ascii").strip()
    except UnicodeDecodeError:
        return raw
    if text.startswith("{"):
        try:
            fields = json.loads(text)
        except ValueError as error:
            raise Failure(Exit.USAGE, f"{file} is not JSON", _HOW) from error
        text = str(next((fields[key] for key in ("value", "result", "signature") if key in fields), ""))
    try:
        standard = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except binascii.Error as error:
        raise Failure(Exit.USAGE, f"{file} holds no signature", _HOW) from error


def write_new(file: Path, content: bytes) -> None:
    """Write a file that only its owner can read. Raises Failure if it exists."""
    try:
        file.touch(mode=0o600, exist_ok=False)
        file.write_bytes(content)
    except FileExistsError as error:
        raise Failure(Exit.USAGE, f"{file} exists", "name another file with --out, or remove this one") from error
    except OSError as error:
        raise Failure(Exit.USAGE, f"{file}: {error.strerror}", "name a file that can be written with --out") from error
