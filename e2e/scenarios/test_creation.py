"""From a manifest to an open service, and back to nothing but its volumes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from e2e.harness.environment import Environment, install
from e2e.harness.kubectl import KubectlFailed
from e2e.harness.network import Network
from e2e.harness.waiting import eventually, throughout

NewNetwork = Callable[..., Network]


def test_a_manifest_becomes_an_open_service(network: NewNetwork) -> None:
    bank = network()
    bank.create()
    awaiting = bank.wait_for_phase("AwaitingOpen")
    assert "transition_service_to_open" in awaiting["nextStep"]
    assert bank.serving() == []
    bank.consortium.open(bank.door())
    bank.wait_for("every node serves", lambda s: s["phase"] == "Running" and s["readyNodes"] == "3/3")
    bank.consortium.install_app(bank.door())
    bank.write()
    assert bank.missing() == []
    status = bank.status()
    assert status["service"]["recoveryCount"] == 0
    assert bank.identity()["recovery_count"] == "0"
    conditions = {c["type"]: c["status"] for c in status["conditions"]}
    assert conditions["Ready"] == "True"
    assert conditions["QuorumHealthy"] == "True"
    assert {c["observedGeneration"] for c in status["conditions"]} == {bank.object()["metadata"]["generation"]}
    slices = bank.kubectl.list("endpointslices", f"kubernetes.io/service-name={bank.name}")
    ready = [e for s in slices for e in s["endpoints"] if e["conditions"].get("serving", True)]
    assert len(ready) == 3


def test_applying_the_same_manifest_again_changes_nothing(network: NewNetwork) -> None:
    bank = network().open()
    settled = eventually("an idle network's object stays as it is", lambda: _still(bank), within=60)
    assert bank.kubectl.apply(bank.manifest()).strip().endswith("unchanged")
    throughout("the object stays as it is", lambda: bank.object()["metadata"]["resourceVersion"] == settled, during=12)
    metadata = bank.object()["metadata"]
    assert set(metadata.get("annotations", {})) <= {"kubectl.kubernetes.io/last-applied-configuration"}
    assert metadata["finalizers"] == ["ccf.dev/network"]
    assert "labels" not in metadata
    manifest = json.dumps(bank.manifest())
    assert bank.kubectl.run("diff", "--filename", "-", stdin=manifest) == ""


def _still(bank: Network) -> str | None:
    """The resourceVersion, once the object has kept it for longer than the operator takes between two looks."""
    before = str(bank.object()["metadata"]["resourceVersion"])
    throughout("settled", lambda: bank.object()["metadata"]["resourceVersion"] == before, during=8)
    return before


def test_deleting_the_network_leaves_only_its_volumes(network: NewNetwork) -> None:
    bank = network().open()
    volumes = bank.volumes()
    bank.kill(bank.trusted()[0])
    bank.kubectl.delete("ccfnetwork", [bank.name], "--timeout=60s")
    left = "pods,configmaps,services,poddisruptionbudgets"
    eventually("nothing is left", lambda: not bank.kubectl.names(left, f"ccf.dev/network={bank.name}"), within=60)
    assert bank.volumes() == volumes
    assert len(volumes) == 3


def test_a_manifest_with_only_what_is_required_works(network: NewNetwork) -> None:
    bank = network()
    everything = bank.manifest()
    spec = {
        key: everything["spec"][key]
        for key in ("image", "members", "constitution", "command")
        if key in everything["spec"]
    }
    bank.kubectl.apply(*bank.consortium.config_maps(bank.name), {**everything, "spec": spec})
    bank.wait_for_phase("AwaitingOpen")
    bank.consortium.open(bank.door())
    bank.wait_for("every node serves", lambda s: s["readyNodes"] == "3/3")
    assert len(bank.volumes()) == 3


def test_a_wrong_manifest_is_refused_with_what_to_write_instead(network: NewNetwork) -> None:
    bank = network()
    with pytest.raises(KubectlFailed, match="nodes"):
        bank.kubectl.apply(bank.manifest(nodes=0))
    bank.kubectl.apply(*bank.consortium.config_maps(bank.name), bank.manifest())
    bank.wait_for("there is a service", lambda s: "publicKey" in s.get("service", {}))
    with pytest.raises(KubectlFailed, match="governance proposal"):
        bank.kubectl.apply(bank.manifest(recoveryThreshold=1))


def test_a_missing_config_map_is_named_and_waited_for(network: NewNetwork) -> None:
    bank = network(nodes=1)
    members, constitution = bank.consortium.config_maps(bank.name)
    bank.kubectl.apply(members, bank.manifest())
    status = bank.wait_for("the problem is named", lambda s: s.get("reason") == "InputsMissing")
    assert constitution["metadata"]["name"] in status["message"]
    assert bank.pods() == []
    bank.kubectl.apply(constitution)
    bank.wait_for_phase("AwaitingOpen")


def test_the_chart_is_not_uninstalled_while_a_network_exists(network: NewNetwork, environment: Environment) -> None:
    bank = network(nodes=1).busy()
    before = bank.uids()
    refused = environment.uninstall()
    assert refused.returncode != 0
    said = refused.stdout + refused.stderr
    assert f"{bank.kubectl.namespace}/{bank.name}" in said
    keep = re.search(r"helm (rollback [\w-]+ \d+ --namespace [\w-]+)", said)
    assert keep is not None, said
    environment.setting.kubectl.shell(f"{environment.helm} {keep.group(1)}")
    install(environment)
    bank.wait_for("the network runs", lambda s: s["phase"] == "Running" and s["readyNodes"] == "1/1")
    assert bank.uids() == before
    bank.check_nothing_is_missing()
