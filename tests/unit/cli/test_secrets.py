from __future__ import annotations

from ccf_operator.cli.secrets import censor
from members import generate_member


def test_private_keys_and_tokens_go_and_everything_else_stays() -> None:
    member = generate_member("alice")
    text = (
        f"{member.certificate_pem}{member.key_pem}{member.encryption_key_pem}\n"
        "Authorization: Bearer abcdefghijklmnopqrstuvwxyz0123456789\n"
        "token eyJhbGciOiJSUzI1NiJ9abcdef.eyJzdWIiOiJ4In0abcdef.c2lnbmF0dXJl\n"
        'password: hunter22\n"api_key": "0123456789"\nnode ab12 committed 4.1207'
    )
    clean = censor(text)
    assert member.certificate_pem in clean
    assert "committed 4.1207" in clean
    for secret in ("PRIVATE KEY", "abcdefghijklmnop", "eyJ", "hunter22", "0123456789"):
        assert secret not in clean
