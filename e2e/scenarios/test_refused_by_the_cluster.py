"""The API server says no in the middle of a recovery: people read who and why, and it goes on when that heals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from e2e.harness.kubectl import Object
from e2e.harness.network import Network, Setting
from e2e.harness.waiting import eventually, throughout

NewNetwork = Callable[..., Network]


@pytest.fixture
def gate(setting: Setting) -> Iterator[Callable[[], AbstractContextManager[str]]]:
    """Makes a webhook about pods whose backend is down; its name. It is gone when its context ends."""
    name = f"gate.{setting.kubectl.namespace}.example"

    @contextmanager
    def closed() -> Iterator[str]:
        setting.kubectl.apply(_webhook(name, setting.kubectl.namespace))
        yield name
        setting.kubectl.delete("validatingwebhookconfiguration", [name])

    yield closed
    setting.kubectl.delete("validatingwebhookconfiguration", [name])


def test_a_webhook_that_is_down_during_a_recovery(
    network: NewNetwork, gate: Callable[[], AbstractContextManager[str]]
) -> None:
    bank = network().busy()
    with gate() as webhook:
        bank.kill(*bank.trusted()[:2])
        eventually("the webhook is named", lambda: webhook in bank.words(), within=60)
        throughout("nothing is given up", lambda: _goes_on(bank), during=15)
    bank.wait_for_winner()
    bank.let_members_recover()
    eventually("its name is gone from the status", lambda: webhook not in bank.words(), within=60)
    bank.check_nothing_is_missing()


def _goes_on(bank: Network) -> bool:
    status = bank.status()
    return status.get("attempt") is not None and status.get("reason") not in ("NothingRecovered", "ApprovalRequired")


def _webhook(name: str, namespace: str) -> Object:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": name,
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
                "clientConfig": {"service": {"namespace": namespace, "name": "nobody", "path": "/"}},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 5,
            }
        ],
    }
