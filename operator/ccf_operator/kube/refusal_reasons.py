"""Why the API server has refused something: its sentence, where it says more than its status, as one word.

The words that are looked for are those of kube-apiserver's admission, of its quota, Pod Security and validating policy
plugins, of its authorizer and of etcd (Kubernetes 1.30 to 1.34).
"""

from __future__ import annotations

import re

from ccf_operator.kube.errors import Conflict, Forbidden, Invalid, KubeError, NotFound

_BY_WORDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"failed calling webhook|failed to call webhook"), "WebhookFailed"),
    (re.compile(r"admission webhook .* denied the request"), "AdmissionDenied"),
    (re.compile(r"ValidatingAdmissionPolicy .* denied request"), "PolicyDenied"),
    (re.compile(r"exceeded quota|insufficient quota|failed quota"), "QuotaExceeded"),
    (re.compile(r"violates PodSecurity"), "PodSecurity"),
    (re.compile(r"because it is being terminated"), "NamespaceTerminating"),
    (re.compile(r"Too long: (must have at most|may not be (longer|more) than)"), "TooLarge"),
    (re.compile(r"[Rr]equest (entity )?(is )?too large"), "TooLarge"),
    (re.compile(r"database space exceeded"), "DatabaseFull"),
)

_BY_KIND: dict[type[KubeError], str] = {
    Forbidden: "Forbidden",
    NotFound: "NotFound",
    Conflict: "Conflict",
    Invalid: "Invalid",
}

_BY_STATUS = {401: "Unauthorized", 413: "TooLarge", 429: "Throttled"}


def reason_of(error: KubeError) -> str:
    """The reason of the obstacle that this refusal is, as `domain.obstacle_advice` has them."""
    for pattern, reason in _BY_WORDS:
        if pattern.search(error.message):
            return reason
    if error.status in _BY_STATUS:
        return _BY_STATUS[error.status]
    return _BY_KIND.get(type(error), "Unavailable")
