"""Effects that arrive late: another operator has moved on since the look that they were decided on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from ccf_operator.api.status import Attempt, AttemptPhase, Configuration, NetworkStatus, Phase, ServiceStatus
from ccf_operator.domain.effects import (
    AnnotateVolume,
    ApplyIdentity,
    ApplyRecoveryBudget,
    ApplyTrustedBudget,
    DeletePod,
    Effect,
    LabelPod,
    ReleasePod,
    RemoveRecoveryBudget,
)
from ccf_operator.domain.observation import Observation
from ccf_operator.kube.gateway import Gateway, Raw
from ccf_operator.reconcile.act import Actor, Failure
from ccf_operator.reconcile.observe import Observer
from ccf_operator.reconcile.parse import to_wire
from ccf_operator.reconcile.signing_member import SigningMember
from ccf_operator.render import labels
from ccf_operator.render.order import Platform
from integration.manifests import minimal

Create = Callable[[Raw], Raw]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ATTEMPT = Attempt(
    number=1,
    phase=AttemptPhase.RECOVERING,
    base_service="old",
    base_certificate="old",
    base_recovery_count=0,
    configuration=["a"],
)
CLAIM, POD = "bank-ledger-x-0", "bank-x-0"


@dataclass
class One:
    """An operator's look, and what it may still do on the strength of it."""

    actor: Actor
    raw: Raw
    observation: Observation

    @classmethod
    async def looks(cls, gateway: Gateway, namespace: str) -> One:
        raw = await gateway.get_network(namespace, "bank")
        assert raw is not None
        member = SigningMember(gateway.get_secret)
        observation = await Observer(gateway, member=member).look(raw)
        return cls(Actor(gateway, Platform(stage_image="operator"), member), raw, observation)

    async def does(self, *effects: Effect) -> list[Failure]:
        return await self.actor.act(effects, self.raw, self.observation, self.observation.status)


async def write(gateway: Gateway, namespace: str, status: NetworkStatus) -> None:
    raw = await gateway.get_network(namespace, "bank")
    assert raw is not None
    await gateway.replace_status(namespace, "bank", raw["metadata"]["resourceVersion"], to_wire(status))


def service(certificate: str, nodes: list[str]) -> NetworkStatus:
    return NetworkStatus(
        phase=Phase.RUNNING,
        service=ServiceStatus(certificate=certificate, public_key=certificate),
        configuration=Configuration(service=certificate, nodes=nodes, seqno=1, seen_at=NOW),
    )


async def test_what_is_published_of_the_service_is_never_taken_back(
    gateway: Gateway, namespace: str, create_network: Create
) -> None:
    create_network(minimal())
    await write(gateway, namespace, service("old", ["a"]))
    slow = await One.looks(gateway, namespace)
    await write(gateway, namespace, service("new", ["a", "b", "c"]))
    quick = await One.looks(gateway, namespace)
    assert await quick.does(ApplyTrustedBudget(min_available=2), ApplyIdentity()) == []

    failures = await slow.does(ApplyTrustedBudget(min_available=1), ApplyIdentity())

    assert [type(one.effect) for one in failures if one.passing] == [ApplyTrustedBudget, ApplyIdentity]
    budget = await gateway.find("policy/v1", "PodDisruptionBudget", namespace, "bank-trusted")
    identity = await gateway.get_config_map(namespace, "bank-service-identity")
    assert budget is not None
    assert identity is not None
    assert budget["spec"]["minAvailable"] == 2
    assert identity["data"]["service_cert.pem"].strip() == "new"


async def test_the_budget_of_a_recovery_is_not_taken_away_by_who_has_not_seen_it_begin(
    gateway: Gateway, namespace: str, create_network: Create
) -> None:
    create_network(minimal())
    running = service("old", ["a"])
    await write(gateway, namespace, running)
    slow = await One.looks(gateway, namespace)
    recovering = running.model_copy(update={"attempt": ATTEMPT})
    await write(gateway, namespace, recovering)
    quick = await One.looks(gateway, namespace)
    assert await quick.does(ApplyRecoveryBudget()) == []

    [failure] = await slow.does(RemoveRecoveryBudget())

    assert failure.passing
    assert await gateway.find("policy/v1", "PodDisruptionBudget", namespace, "bank-recovery") is not None


async def test_the_budget_of_a_recovery_goes_with_it(gateway: Gateway, namespace: str, create_network: Create) -> None:
    create_network(minimal())
    running = service("old", ["a"])
    await write(gateway, namespace, running.model_copy(update={"attempt": ATTEMPT}))
    one = await One.looks(gateway, namespace)
    assert await one.does(ApplyRecoveryBudget()) == []
    await write(gateway, namespace, running)
    one = await One.looks(gateway, namespace)

    assert await one.does(RemoveRecoveryBudget()) == []
    assert await one.does(RemoveRecoveryBudget()) == []

    assert await gateway.find("policy/v1", "PodDisruptionBudget", namespace, "bank-recovery") is None


async def test_what_a_claim_says_of_its_ledger_is_never_taken_back(
    gateway: Gateway, namespace: str, create_network: Create
) -> None:
    network = create_network(minimal())
    await gateway.create(_claim(namespace, network))
    slow, quick = await One.looks(gateway, namespace), await One.looks(gateway, namespace)
    uid = quick.observation.claims[CLAIM].uid
    assert await quick.does(AnnotateVolume(CLAIM, uid, "new")) == []

    [failure] = await slow.does(AnnotateVolume(CLAIM, uid, "old"))

    assert failure.passing
    claim = await gateway.get_claim(namespace, CLAIM)
    assert claim is not None
    assert claim["metadata"]["annotations"][labels.RECOVERY_FACTS] == "new"


@pytest.mark.parametrize(
    "effect_on",
    [
        lambda uid: DeletePod(POD, uid),
        lambda uid: ReleasePod(POD, uid),
        lambda uid: LabelPod(POD, uid, ((labels.TRAFFIC, "true"),)),
    ],
    ids=["DeletePod", "ReleasePod", "LabelPod"],
)
async def test_another_pod_of_the_name_is_left_alone(
    gateway: Gateway, namespace: str, create_network: Create, effect_on: Callable[[str], Effect]
) -> None:
    network = create_network(minimal())
    await gateway.create(_pod(namespace, network))
    slow = await One.looks(gateway, namespace)
    uid = slow.observation.pods[POD].uid
    await gateway.delete_pod(namespace, POD, uid, 0)
    await gateway.remove_pod_finalizer(namespace, POD, uid)
    await _made_again(gateway, namespace, network)
    before = await gateway.get_pod(namespace, POD)

    assert await slow.does(effect_on(uid)) == []

    assert await gateway.get_pod(namespace, POD) == before


async def _made_again(gateway: Gateway, namespace: str, network: Raw) -> None:
    while await gateway.create(_pod(namespace, network)) == "exists":
        pass


def _metadata(namespace: str, network: Raw, name: str) -> dict[str, Any]:
    uid = network["metadata"]["uid"]
    return {
        "name": name,
        "namespace": namespace,
        "labels": {labels.MANAGED_BY: labels.FIELD_MANAGER, labels.NETWORK: "bank", labels.NETWORK_UID: uid},
    }


def _claim(namespace: str, network: Raw) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _metadata(namespace, network, CLAIM),
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }


def _pod(namespace: str, network: Raw) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**_metadata(namespace, network, POD), "finalizers": [labels.POD_FINALIZER]},
        "spec": {"containers": [{"name": "ccf", "image": "app"}]},
    }
