from __future__ import annotations

from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.render import labels
from ccf_operator.render.explorer import explorer_pod
from ccf_operator.render.names import NetworkRef
from unit.render import orders

NETWORK = NetworkRef("b" * 40, "default", "0f1e2d3c-0000-0000-0000-000000000000")


def test_an_explorer_can_change_nothing_and_is_no_node() -> None:
    made = explorer_pod(orders.spec(), NETWORK, "operator:1", "some-claim", "claim-uid")
    [container] = made["spec"]["containers"]
    [mount] = container["volumeMounts"]
    assert mount["readOnly"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert made["spec"]["securityContext"]["runAsNonRoot"] is True
    assert made["metadata"]["labels"][labels.NETWORK] == NETWORK.name
    assert labels.NODE not in made["metadata"]["labels"]
    assert "finalizers" not in made["metadata"]
    assert len(made["metadata"]["name"]) <= 63


def test_claims_that_differ_have_explorers_that_differ() -> None:
    spec: CCFNetworkSpec = orders.spec()
    one, other = (
        explorer_pod(spec, NETWORK, "i", "claim", uid)["metadata"]["name"] for uid in ("a" * 36, "a" * 35 + "b")
    )
    assert one != other
