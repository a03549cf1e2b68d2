"""What must not leave the cluster in a bug report."""

from __future__ import annotations

import re

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_TOKEN = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/-]{16,}=*")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*")
_NAMED = re.compile(r"(?i)((?:password|passwd|secret|api[_-]?key)\"?\s*[:=]\s*\"?)[^\s\",]{4,}")


def censor(text: str) -> str:
    """The text without private keys, tokens and passwords."""
    text = _PRIVATE_KEY.sub("[a private key was removed]", text)
    text = _TOKEN.sub(r"\1[removed]", text)
    text = _JWT.sub("[a token was removed]", text)
    return _NAMED.sub(r"\1[removed]", text)
