"""The commands of docs/how-to/gitops.md, run as they are shown."""

from __future__ import annotations

import json

import yaml

from ccf_operator.kube.gateway import Gateway
from integration.conftest import REPOSITORY
from integration.control_plane import ControlPlane
from integration.manifests import minimal
from pages import Reading, blocks
from terminal import Terminal
from unit.domain.judged import CASES, object_of


async def test_the_page(control_plane: ControlPlane, gateway: Gateway, namespace: str, terminal: Terminal) -> None:
    page = Reading("how-to/gitops.md", __file__)

    terminal.run(
        "kubectl create namespace argocd; kubectl -n argocd create configmap argocd-cm --from-literal=url=kept"
    )
    terminal.follow(page.section("Argo CD"))
    data = json.loads(terminal.run("kubectl -n argocd get configmap argocd-cm -o json"))["data"]
    rule = (REPOSITORY / "charts/ccf-operator/argocd-health.lua").read_text()
    assert data == {"url": "kept", "resource.customizations.health.ccf.dev_CCFNetwork": rule}

    terminal.run(f"echo '{json.dumps(minimal())}' | kubectl apply -f -")
    created = await gateway.get_network(namespace, "bank")
    assert created is not None
    status = object_of(next(case for case in CASES if case.name == "running"))["status"]
    status["observedGeneration"] = created["metadata"]["generation"]
    await gateway.replace_status(namespace, "bank", created["metadata"]["resourceVersion"], status)
    terminal.follow(page.section("Scripts"))
    page.finish()


def test_flux_is_told_of_the_kind_there_is() -> None:
    documents = [yaml.safe_load(block.text) for block in blocks("how-to/gitops.md") if block.language == "yaml"]
    checks = [check for document in documents for check in document.get("spec", {}).get("healthChecks", [])]
    network = minimal()
    assert [(check["apiVersion"], check["kind"]) for check in checks] == [(network["apiVersion"], network["kind"])]
