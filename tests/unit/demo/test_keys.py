from __future__ import annotations

from pathlib import Path

from e2e.demo import keys
from members import generate_member, generate_operator_member


def test_only_the_owner_can_read_the_keys(tmp_path: Path) -> None:
    directory = tmp_path / "members"
    alice = generate_member("alice")
    keys.write([alice], directory)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o777 for file in directory.iterdir()} == {
        "alice_cert.pem": 0o600,
        "alice_privk.pem": 0o600,
        "alice_enc_privk.pem": 0o600,
    }
    assert (directory / "alice_privk.pem").read_text() == alice.key_pem


def test_keys_of_an_earlier_run_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "bob_privk.pem").write_text("old")
    (tmp_path / "bob_privk.pem").chmod(0o644)
    bob = generate_operator_member("bob")
    keys.write([bob], tmp_path)
    assert (tmp_path / "bob_privk.pem").read_text() == bob.key_pem
    assert (tmp_path / "bob_privk.pem").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "bob_enc_privk.pem").exists()
