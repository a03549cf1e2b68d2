"""The Kubernetes objects every cluster starts with: storage, DNS service, rights of the DNS server."""

from __future__ import annotations

from pathlib import Path

from e2e.cluster.api import Api, Object
from e2e.cluster.layout import (
    DNS_ADDRESS,
    DNS_SERVICE_ADDRESS,
    SMALL_STORAGE_CLASS,
    STORAGE_CLASS,
    VOLUME_SIZE,
    VOLUMES_PER_MACHINE,
    Machine,
    machines,
)

HOST_NAME = "kubernetes.io/hostname"


def create_all(api: Api) -> None:
    for path, body in (
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles", _dns_role()),
        ("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", _dns_binding()),
        ("/api/v1/namespaces/kube-system/services", _dns_service()),
        ("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices", _dns_endpoints()),
        ("/apis/storage.k8s.io/v1/storageclasses", _storage_class(STORAGE_CLASS, default=True)),
        ("/apis/storage.k8s.io/v1/storageclasses", _storage_class(SMALL_STORAGE_CLASS, default=False)),
    ):
        api.ensure(path, body)
    for machine in machines():
        for number in range(1, VOLUMES_PER_MACHINE + 1):
            place = machine.volumes / f"{number:02d}"
            body = persistent_volume(f"{machine.name}-{number:02d}", machine, place, STORAGE_CLASS)
            api.ensure("/api/v1/persistentvolumes", body)


def _dns_role() -> Object:
    return {
        "metadata": {"name": "system:coredns"},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        ],
    }


def _dns_binding() -> Object:
    return {
        "metadata": {"name": "system:coredns"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:coredns"}],
    }


def _dns_service() -> Object:
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    return {"metadata": {"name": "kube-dns"}, "spec": {"clusterIP": DNS_SERVICE_ADDRESS, "ports": ports}}


def _dns_endpoints() -> Object:
    return {
        "metadata": {"name": "kube-dns-static", "labels": {"kubernetes.io/service-name": "kube-dns"}},
        "addressType": "IPv4",
        "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}],
        "endpoints": [{"addresses": [DNS_ADDRESS], "conditions": {"ready": True}}],
    }


def _storage_class(name: str, *, default: bool) -> Object:
    return {
        "metadata": {
            "name": name,
            "annotations": {"storageclass.kubernetes.io/is-default-class": str(default).lower()},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Retain",
    }


def persistent_volume(name: str, machine: Machine, path: Path, storage_class: str) -> Object:
    """A directory of one machine, on that machine only; kept when its claim is deleted."""
    on_this_machine = {"key": HOST_NAME, "operator": "In", "values": [machine.name]}
    return {
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": VOLUME_SIZE},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": storage_class,
            "local": {"path": str(path)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_this_machine]}]}},
        },
    }


def machine_name_of(volume: Object) -> str:
    """The name of the machine that a local volume is on."""
    [term] = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    return str(term["matchExpressions"][0]["values"][0])
