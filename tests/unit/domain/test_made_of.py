from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.domain.made_of import made_of, storage_of
from unit.domain.given import spec


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "ccf:8"},
        {"imagePullPolicy": "Always"},
        {"imagePullSecrets": [{"name": "registry"}]},
        {"command": ["/bin/app"]},
        {"logLevel": "Debug"},
        {"consensus": {"electionTimeout": "9s"}},
        {"ledger": {"chunkSize": "1MB"}},
        {"ledgerSignatures": {"txCount": 10}},
        {"certificates": {"nodeValidityDays": 9}},
        {"pods": {"nodeSelector": {"disk": "fast"}}},
        {"pods": {"tolerations": [{"operator": "Exists"}]}},
        {"pods": {"resources": {"limits": {"memory": "9Gi"}}}},
        {"pods": {"priorityClassName": "high"}},
        {"pods": {"serviceAccountName": "ccf"}},
        {"pods": {"runAsUser": 2000}},
        {"pods": {"hostSpread": "Preferred"}},
    ],
)
def test_all_that_pods_are_made_of_makes_a_difference(fields: dict[str, Any]) -> None:
    assert made_of(spec(**fields)) != made_of(spec())


@pytest.mark.parametrize(
    "fields",
    [
        {"nodes": 5},
        {"recovery": {"mode": "Manual"}},
        {"storage": {"size": "99Gi"}},
        {"serviceIdentity": {"overlap": "1h"}},
        {"logLevel": "Info"},
        {"recoveryThreshold": 1},
    ],
)
def test_what_pods_are_not_made_of_makes_none(fields: dict[str, Any]) -> None:
    assert made_of(spec(**fields)) == made_of(spec())


def test_claims_are_made_of_the_storage() -> None:
    assert storage_of(spec(storage={"storageClassName": "fast"})) != storage_of(spec())
    assert storage_of(spec(image="ccf:8")) == storage_of(spec(storage={"size": "10Gi"}))
