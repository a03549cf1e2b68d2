"""The members' keys in files, so that the members can be played by hand after the story."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from members import GeneratedMember


def write(members: Iterable[GeneratedMember], directory: Path) -> None:
    """One file per key and certificate (PEM), which only their owner can read; older ones are replaced."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    for member in members:
        _write(directory / f"{member.name}_cert.pem", member.certificate_pem)
        _write(directory / f"{member.name}_privk.pem", member.key_pem)
        if member.encryption_key_pem is not None:
            _write(directory / f"{member.name}_enc_privk.pem", member.encryption_key_pem)


def _write(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(text)
