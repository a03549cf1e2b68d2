"""The Services: who is behind each."""

from __future__ import annotations

from ccf_operator.api.status import Command
from ccf_operator.render import labels
from ccf_operator.render.pod import pod
from ccf_operator.render.services import client_service, nodes_service
from unit.render.orders import NETWORK, order_of


def selects(service: dict[str, object], pod_labels: dict[str, str]) -> bool:
    selector = service["spec"]["selector"]  # type: ignore[index]
    return all(pod_labels.get(key) == value for key, value in selector.items())


def test_clients_reach_only_nodes_that_are_fit_for_traffic() -> None:
    fresh = pod(order_of(Command.JOIN))["metadata"]["labels"]

    assert not selects(client_service(NETWORK), fresh)
    assert selects(client_service(NETWORK), {**fresh, labels.TRAFFIC: "true"})


def test_nodes_are_found_before_they_are_ready_whatever_they_are() -> None:
    service = nodes_service(NETWORK)

    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["clusterIP"] == "None"
    for command in Command:
        manifest = pod(order_of(command))
        assert selects(service, manifest["metadata"]["labels"])
        assert manifest["spec"]["subdomain"] == service["metadata"]["name"]


def test_ports_lead_to_ports_that_the_pod_has() -> None:
    ports = {p["name"]: p["containerPort"] for p in pod(order_of(Command.JOIN))["spec"]["containers"][0]["ports"]}

    for service in (client_service(NETWORK), nodes_service(NETWORK)):
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]
