from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.status import Adopted, NetworkStatus
from ccf_operator.domain.decide import decide
from ccf_operator.domain.effects import CreateNode, DeletePod, Effect, TakeOver
from ccf_operator.domain.ownership import lives, want_owned
from ccf_operator.render import labels
from unit.domain.given import START, UID, claim, configuration, draft, observation, pod, record, status

OWNED = pod("a")
OWNERLESS = pod("b", has_controller=False)
THEIRS = pod("c", owner_uid="uid-of-another", has_controller=False)


def wanted(**seen: Any) -> list[Effect]:
    work = draft(status(), **seen)
    want_owned(work)
    return work.effects


def test_all_that_has_lost_its_owner_is_taken_over_at_once() -> None:
    pods = {one.name: one for one in (OWNED, OWNERLESS, THEIRS)}
    assert wanted(pods=pods, ownerless_config_maps={"b": "uid-of-b", "a": "uid-of-a"}) == [
        TakeOver("Pod", "b", "uid-b"),
        TakeOver("ConfigMap", "a", "uid-of-a"),
        TakeOver("ConfigMap", "b", "uid-of-b"),
    ]


def test_a_node_whose_pod_has_lost_its_owner_is_still_that_node() -> None:
    of = status(record("a"), configuration=configuration("a"))
    plan = decide(observation(of, pods={"a": pod("a", has_controller=False)}))
    assert not [effect for effect in plan.effects if isinstance(effect, CreateNode | DeletePod)]
    assert TakeOver("Pod", "a", "uid-a") in plan.effects


@pytest.mark.parametrize(
    ("of", "claims", "found"),
    [
        (status(), {}, {UID}),
        (status(), {"v": claim("v", labels={labels.NETWORK_UID: "before"})}, {UID, "before"}),
        (status(), {"v": claim("v", labels={})}, {UID}),
        (status(adopted=Adopted(decision="d", at=START, network_uids=["before"])), {}, {UID, "before"}),
    ],
)
def test_the_lives_of_a_network_are_those_it_has_adopted_or_its_claims_know(
    of: NetworkStatus, claims: Any, found: set[str]
) -> None:
    assert lives(observation(of, claims=claims), of) == found
