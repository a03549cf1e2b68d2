"""etcd, the API server, the controllers, the scheduler, DNS and the service proxy."""

from __future__ import annotations

import json
from pathlib import Path

from e2e.cluster import pki
from e2e.cluster.commands import inside
from e2e.cluster.daemons import Daemon
from e2e.cluster.files import put
from e2e.cluster.layout import (
    API_ADDRESS,
    API_PORT,
    CGROUP,
    CLUSTER_DOMAIN,
    DNS_ADDRESS,
    POD_RANGE,
    SERVICE_RANGE,
    machines,
    state_directory,
)

# Short, so that a scenario sees an eviction within seconds. A pod that tolerates the taints without limit is untouched.
NODE_GRACE_SECONDS = 12
TOLERATION_SECONDS = 10

ETCD = Daemon("etcd")
API_SERVER = Daemon("kube-apiserver")
CONTROLLER_MANAGER = Daemon("kube-controller-manager")
SCHEDULER = Daemon("kube-scheduler")
DNS = Daemon("coredns")
PROXY = Daemon("kube-proxy")
DAEMONS = (ETCD, API_SERVER, CONTROLLER_MANAGER, SCHEDULER, DNS, PROXY)

_GROUP = f"{CGROUP}/control-plane"
_CLIENTS = {
    pki.CONTROLLER_MANAGER: CONTROLLER_MANAGER,
    pki.SCHEDULER: SCHEDULER,
    pki.DNS: DNS,
    pki.PROXY: PROXY,
}


def etcd_directory() -> Path:
    """Where etcd keeps all objects."""
    return state_directory() / "etcd"


def start_api_server(binaries: Path) -> None:
    """etcd and the API server; the latter is not ready yet when this returns."""
    etcd_client, etcd_peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    ETCD.start(
        inside(
            binaries / "etcd",
            "--name=ccf-e2e",
            f"--data-dir={etcd_directory()}",
            f"--listen-client-urls={etcd_client}",
            f"--advertise-client-urls={etcd_client}",
            f"--listen-peer-urls={etcd_peer}",
            f"--initial-advertise-peer-urls={etcd_peer}",
            f"--initial-cluster=ccf-e2e={etcd_peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ),
        _GROUP,
    )
    API_SERVER.start(
        inside(
            binaries / "kube-apiserver",
            f"--etcd-servers={etcd_client}",
            f"--secure-port={API_PORT}",
            "--bind-address=0.0.0.0",
            f"--advertise-address={API_ADDRESS}",
            f"--cert-dir={state_directory() / 'apiserver'}",
            f"--tls-cert-file={pki.API_SERVER.certificate}",
            f"--tls-private-key-file={pki.API_SERVER.key}",
            f"--client-ca-file={pki.authority()}",
            f"--kubelet-certificate-authority={pki.authority()}",
            f"--kubelet-client-certificate={pki.API_SERVER_TO_KUBELETS.certificate}",
            f"--kubelet-client-key={pki.API_SERVER_TO_KUBELETS.key}",
            # Otherwise logs and exec look the machines' names up in this machine's DNS.
            "--kubelet-preferred-address-types=InternalIP",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--service-account-issuer=https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
            f"--service-account-key-file={pki.service_account_key()}",
            f"--service-account-signing-key-file={pki.service_account_key()}",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            f"--default-not-ready-toleration-seconds={TOLERATION_SECONDS}",
            f"--default-unreachable-toleration-seconds={TOLERATION_SECONDS}",
            "--allow-privileged=true",
            "--profiling=false",
        ),
        _GROUP,
    )


def start_controllers(binaries: Path) -> None:
    """Everything that talks to the API server and need not wait for a machine."""
    for identity in _CLIENTS:
        pki.write_kubeconfig(identity, pki.kubeconfig_of(identity))
    CONTROLLER_MANAGER.start(
        inside(
            binaries / "kube-controller-manager",
            f"--kubeconfig={pki.kubeconfig_of(pki.CONTROLLER_MANAGER)}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={pki.service_account_key()}",
            f"--root-ca-file={pki.authority()}",
            f"--cluster-signing-cert-file={pki.authority()}",
            f"--cluster-signing-key-file={pki.authority_key()}",
            f"--node-monitor-grace-period={NODE_GRACE_SECONDS}s",
            "--node-monitor-period=2s",
            "--node-eviction-rate=10",
            f"--flex-volume-plugin-dir={state_directory() / 'volume-plugins'}",
        ),
        _GROUP,
    )
    SCHEDULER.start(
        inside(
            binaries / "kube-scheduler",
            f"--kubeconfig={pki.kubeconfig_of(pki.SCHEDULER)}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
        ),
        _GROUP,
    )
    DNS.start(inside(binaries / "coredns", f"-conf={_write_corefile()}"), _GROUP)
    PROXY.start(inside(binaries / "kube-proxy", f"--config={_write_proxy_config()}"), _GROUP)


def stop_controllers() -> None:
    """End everything that `start_controllers` starts."""
    for daemon in (CONTROLLER_MANAGER, SCHEDULER, DNS, PROXY):
        daemon.stop()


def stop_api_server() -> None:
    """End the API server and then etcd, in order: what etcd has acknowledged is in its directory.

    Asked in order, the API server waits for its watchers to leave; it holds nothing that etcd does not.
    """
    API_SERVER.stop(patience=2)
    ETCD.stop(patience=20)


def _write_corefile() -> Path:
    return put(
        state_directory() / "config" / "Corefile",
        f""".:53 {{
    bind {DNS_ADDRESS}
    errors
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa {{
        kubeconfig {pki.kubeconfig_of(pki.DNS)}
        ttl 1
    }}
}}
""",
    )


def _write_proxy_config() -> Path:
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "bindAddress": "0.0.0.0",
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "clientConnection": {"kubeconfig": str(pki.kubeconfig_of(pki.PROXY))},
        "clusterCIDR": POD_RANGE,
        # All machines share one network namespace, so one proxy serves them all, in the name of the first.
        "hostnameOverride": machines()[0].name,
        "conntrack": {"maxPerCore": 0},
        "nftables": {"minSyncPeriod": "100ms"},
    }
    return put(state_directory() / "config" / "kube-proxy.json", json.dumps(config, indent=1))
