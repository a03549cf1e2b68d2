"""What can go wrong between the operator and the API server."""

from __future__ import annotations

import json


class KubeError(Exception):
    """The API server refused or could not be asked.

    `status` is the HTTP status (0: no answer), `reason` Kubernetes' own word for it, `about` the object that was to be
    written, as `Kind name`, where that is known.
    """

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason
        self.about: str | None = None


class NotFound(KubeError):
    """The object does not exist."""


class NotServed(KubeError):
    """The API server knows nothing of the kind: nothing is said of any object of it."""


class Conflict(KubeError):
    """The object is not the one, or not at the version, that the request was made for."""


class Newer(Conflict):
    """What exists is newer than what was to take its place."""


class AlreadyExists(KubeError):
    """An object of that name exists."""


class Forbidden(KubeError):
    """Not allowed: permissions, quota, admission or a namespace that is going away."""


class Invalid(KubeError):
    """The API server does not accept the object."""


class Unavailable(KubeError):
    """No usable answer: network, time-out, overload or a failure inside the API server. Worth trying again."""


class NameTaken(KubeError):
    """An object bears the name of one of ours but belongs to someone else."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} {name} exists and does not belong to this network", status=409, reason="NameTaken")
        self.kind = kind
        self.name = name


def from_answer(status: int, body: bytes) -> KubeError:
    """The error for a failed answer (`metav1.Status` as body, where the API server sent one)."""
    message, reason = body.decode(errors="replace")[:500], ""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if isinstance(answer, dict):
        message = str(answer.get("message") or message)
        reason = str(answer.get("reason") or "")
    kind: type[KubeError]
    if status == 404:
        kind = NotFound if reason == "NotFound" else NotServed  # of a kind it does not serve it says nothing in JSON
    elif status == 409:
        kind = AlreadyExists if reason == "AlreadyExists" else Conflict
    elif status in (401, 403):
        kind = Forbidden
    elif status == 429 or status >= 500:
        kind = Unavailable
    else:
        kind = Invalid
    return kind(message or f"HTTP status {status}", status=status, reason=reason)
