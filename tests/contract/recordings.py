"""What real CCF nodes answered, and how an answer is compared: status, headers, keys, types and enum values."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "fixtures/ccf/recordings.json"
_ID = re.compile(r"[0-9a-f]{64}")
_FORMS = (
    (re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----\n", re.DOTALL), "<PEM>"),
    (_ID, "<id>"),
    (re.compile(r"\d+\.\d+\.\d+\.\d+:\d+"), "<address>"),
    (re.compile(r"\b\d+\.\d+\b"), "<txid>"),
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")


@dataclass(frozen=True)
class Question:
    """What was asked, of whom and when; `nth` tells repeated ones apart."""

    moment: str
    node: str
    interface: str
    method: str
    path: str  # ids replaced
    nth: int = 0

    def __str__(self) -> str:
        ordinal = f" #{self.nth}" if self.nth else ""
        return f"{self.moment} | {self.node} | {self.interface} | {self.method} {self.path}{ordinal}"


@dataclass(frozen=True)
class Answer:
    """`error` is set where no TLS session came about."""

    status: int | None
    headers: Mapping[str, str] | None
    body: Any
    error: str | None = None

    def shape(self) -> Any:
        """Equal for answers that a client cannot tell apart but by values."""
        headers = None if self.headers is None else {key: shape(value) for key, value in sorted(self.headers.items())}
        return {"status": self.status, "headers": headers, "body": shape(self.body), "error": self.error}


def shape(value: Any) -> Any:
    """Numbers, ids, addresses, certificates and the like become names of their kind; the order of lists is dropped."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return "<number>"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return sorted((shape(one) for one in value), key=repr)
    keyed_by_id = value and all(_ID.fullmatch(key) for key in value)
    if keyed_by_id:
        return {"<id>": sorted((shape(one) for one in value.values()), key=repr)}
    return {key: shape(one) for key, one in sorted(value.items())}


def _text(value: str) -> str:
    for form, name in _FORMS:
        value = form.sub(name, value)
    return "<base64>" if _BASE64.fullmatch(value) else value


def normal_path(path: str) -> str:
    return _ID.sub("<id>", path)


class Counted:
    """Gives repeated questions their numbers."""

    def __init__(self) -> None:
        self._seen: Counter[Question] = Counter()

    def question(self, moment: str, node: str, interface: str, method: str, path: str) -> Question:
        plain = Question(moment, node, interface, method, normal_path(path))
        self._seen[plain] += 1
        return Question(moment, node, interface, method, plain.path, self._seen[plain] - 1)


def load() -> dict[Question, Answer]:
    counted = Counted()
    recorded = {}
    for one in json.loads(FILE.read_text()):
        interface = "service" if one["interface"].startswith("service") else "node"
        question = counted.question(one["moment"], one["node"], interface, one["method"], one["path"])
        recorded[question] = _answer(one["answer"])
    return recorded


def _answer(raw: Mapping[str, Any]) -> Answer:
    if "error" in raw:
        return Answer(None, None, None, _tls_failure(raw["error"]))
    return Answer(raw["status"], raw.get("headers"), raw["body"])


def _tls_failure(text: str) -> str:
    return "end of file in the handshake" if "UNEXPECTED_EOF" in text or "EndOfStream" in text else text


def of_failure(error: Exception) -> Answer:
    """Of an exception of the client."""
    return Answer(None, None, None, _tls_failure(f"{error!r} {error.__cause__!r}"))
