"""More nodes and fewer: the operator starts and stops, the members trust and remove."""

from __future__ import annotations

from collections.abc import Callable

from e2e.harness.network import Network
from e2e.harness.waiting import eventually

NewNetwork = Callable[..., Network]


def test_a_network_grows_by_trust_and_shrinks_by_removal(network: NewNetwork) -> None:
    bank = network(nodes=1, spec={"pods": {"hostSpread": "Preferred"}}).busy()
    bank.kubectl.apply(bank.manifest(nodes=2))
    asked = bank.wait_for("a pending node waits for trust", lambda s: "transition_node_to_trusted" in s["nextStep"])
    newcomer = next(r for r in asked["nodes"] if not r.get("joinedAt"))
    assert newcomer["nodeId"] in asked["nextStep"]
    assert bank.serving() != []
    bank.consortium.trust(bank.door(), [newcomer["nodeId"]])
    bank.wait_for("both nodes serve", lambda s: s["readyNodes"] == "2/2")
    bank.kubectl.apply(bank.manifest(nodes=1))
    asked = bank.wait_for("a removal is asked for", lambda s: "remove_node" in s["nextStep"])
    spare = next(r for r in asked["nodes"] if r.get("nodeId") and r["nodeId"] in asked["nextStep"])
    assert len(bank.serving()) == 2, "nothing is stopped before the members have removed it"
    bank.consortium.trust(bank.door(), [], remove=[spare["nodeId"]])
    eventually("the removed node's pod is gone", lambda: not bank.kubectl.exists("pod", spare["name"]), within=60)
    bank.wait_for("one node serves", lambda s: s["phase"] == "Running" and s["readyNodes"] == "1/1")
    bank.check_nothing_is_missing()
