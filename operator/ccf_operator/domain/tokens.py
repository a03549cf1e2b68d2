"""The tokens that decisions must name: what they can be about, in a few letters.

Each is derived from the UID of the network object, so that none is good for a network made anew under the same name.
"""

from __future__ import annotations

import hashlib
import json

from ccf_operator.api.status import Attempt
from ccf_operator.domain.choice import Choice

_LENGTH = 8


def attempt_token(uid: str, attempt: Attempt) -> str:
    """Stands for one attempt, whatever becomes of it: `<number>-<digest>`."""
    return numbered_token(uid, attempt.number, attempt.base_service)


def numbered_token(uid: str, number: int, service: str) -> str:
    """Stands for one attempt to recover a service, before it has begun as well."""
    return f"{number}-{_digest(uid, number, service)}"


def recovery_token(uid: str, next_attempt: int, service: str) -> str:
    """Stands for the next recovery of a service, and for none after it: `start-<digest>`."""
    return f"start-{_digest(uid, next_attempt, service)}"


def choice_token(uid: str, attempt: Attempt, choice: Choice) -> str:
    """Stands for one attempt, its best candidate and exactly what may be missing from that one's ledger."""
    best = choice.best
    what = [best.volume, best.tx_id] if best is not None else []
    return f"{attempt_token(uid, attempt)}-{_digest(*what, *choice.possible_loss)}"


def two_services_token(uid: str, attempt: Attempt, recovered: str) -> str:
    """Stands for the choice between the service being recovered, which has come back, and the recovered one."""
    return f"{attempt_token(uid, attempt)}-{_digest('two services', recovered)}"


def pause_token(uid: str, attempt: int) -> str:
    """Stands for the pause that a person has made by ending this attempt."""
    return f"paused-{_digest(uid, attempt)}"


def names_attempt(token: str, attempt: Attempt, uid: str) -> bool:
    """Whether a token was given by this attempt, at any time of its life."""
    own = attempt_token(uid, attempt)
    return token == own or token.startswith(f"{own}-")


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_LENGTH]
