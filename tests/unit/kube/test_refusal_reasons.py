from __future__ import annotations

import json

import pytest

from ccf_operator.api.status import ObstacleSource
from ccf_operator.domain.obstacle_advice import ADVICE
from ccf_operator.kube.errors import Unavailable, from_answer
from ccf_operator.kube.refusal_reasons import reason_of

KNOWN = {one.reason for one in ADVICE if one.source is ObstacleSource.API_SERVER}


@pytest.mark.parametrize(
    ("status", "reason", "message", "expected"),
    [
        (
            500,
            "InternalError",
            'Internal error occurred: failed calling webhook "check.corp.example": failed to call webhook: Post '
            '"https://check.corp.svc:443/": dial tcp 10.0.0.9:443: connect: connection refused',
            "WebhookFailed",
        ),
        (403, "Forbidden", 'admission webhook "check.corp.example" denied the request: no', "AdmissionDenied"),
        (400, "", 'admission webhook "check.corp.example" denied the request: no', "AdmissionDenied"),
        (
            422,
            "Invalid",
            "pods \"a\" is forbidden: ValidatingAdmissionPolicy 'frozen' with binding 'all' denied request: no",
            "PolicyDenied",
        ),
        (
            403,
            "Forbidden",
            'pods "a" is forbidden: exceeded quota: team, requested: pods=1, used: pods=3, limited: pods=3',
            "QuotaExceeded",
        ),
        (403, "Forbidden", 'pods "a" is forbidden: violates PodSecurity "restricted:latest": …', "PodSecurity"),
        (
            403,
            "Forbidden",
            'pods "a" is forbidden: unable to create new content in namespace bank because it is being terminated',
            "NamespaceTerminating",
        ),
        (
            403,
            "Forbidden",
            'pods is forbidden: User "system:serviceaccount:ccf:operator" cannot create resource "pods"',
            "Forbidden",
        ),
        (401, "Unauthorized", "Unauthorized", "Unauthorized"),
        (404, "NotFound", 'namespaces "bank" not found', "NotFound"),
        (409, "Conflict", "the object has been modified", "Conflict"),
        (413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728", "TooLarge"),
        (422, "Invalid", 'ConfigMap "a" is invalid: []: Too long: may not be more than 1048576 bytes', "TooLarge"),
        (500, "", "etcdserver: request is too large", "TooLarge"),
        (500, "", "etcdserver: mvcc: database space exceeded", "DatabaseFull"),
        (422, "Invalid", 'Pod "a" is invalid: spec.containers[0].resources: must be less', "Invalid"),
        (429, "TooManyRequests", "too many requests, please try again later", "Throttled"),
        (503, "ServiceUnavailable", "apiserver not ready", "Unavailable"),
    ],
)
def test_what_the_api_server_says_is_one_of_the_known_reasons(
    status: int, reason: str, message: str, expected: str
) -> None:
    error = from_answer(status, json.dumps({"reason": reason, "message": message}).encode())
    assert reason_of(error) == expected
    assert expected in KNOWN


def test_no_answer_is_a_reason_too() -> None:
    assert reason_of(Unavailable("no answer within 10 s")) == "Unavailable"
