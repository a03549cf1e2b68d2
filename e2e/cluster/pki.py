"""The cluster's certificate authority, its certificates and the kubeconfigs that carry them."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.commands import run
from e2e.cluster.files import put
from e2e.cluster.layout import (
    API_ADDRESS,
    API_PORT,
    API_SERVICE_ADDRESS,
    CLUSTER_DOMAIN,
    machines,
    state_directory,
)


@dataclass(frozen=True)
class Identity:
    """A certificate to make: its file name, who it is and the addresses and names it serves."""

    name: str
    common_name: str
    organisation: str = ""
    serves: tuple[str, ...] = ()

    @property
    def certificate(self) -> Path:
        return directory() / f"{self.name}.pem"

    @property
    def key(self) -> Path:
        return directory() / f"{self.name}.key"


API_SERVER = Identity(
    "kube-apiserver",
    "kube-apiserver",
    serves=(
        "IP:127.0.0.1",
        f"IP:{API_ADDRESS}",
        f"IP:{API_SERVICE_ADDRESS}",
        *(f"IP:{machine.api_address}" for machine in machines()),
        "DNS:kubernetes",
        "DNS:kubernetes.default",
        "DNS:kubernetes.default.svc",
        f"DNS:kubernetes.default.svc.{CLUSTER_DOMAIN}",
    ),
)
API_SERVER_TO_KUBELETS = Identity("apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters")
ADMINISTRATOR = Identity("admin", "admin", "system:masters")
CONTROLLER_MANAGER = Identity("kube-controller-manager", "system:kube-controller-manager")
SCHEDULER = Identity("kube-scheduler", "system:kube-scheduler")
PROXY = Identity("kube-proxy", "system:kube-proxy")
DNS = Identity("coredns", "system:coredns")
KUBELETS = {
    machine.number: Identity(
        f"kubelet-{machine.number}",
        f"system:node:{machine.name}",
        "system:nodes",
        (f"IP:{machine.address}", f"DNS:{machine.name}"),
    )
    for machine in machines()
}


def directory() -> Path:
    return state_directory() / "pki"


def authority() -> Path:
    return directory() / "ca.pem"


def authority_key() -> Path:
    return directory() / "ca.key"


def service_account_key() -> Path:
    return directory() / "service-account.key"


def make_all() -> None:
    """Make the authority and every certificate, for a year."""
    directory().mkdir(parents=True, exist_ok=True)
    directory().chmod(0o700)
    _make_key(authority_key())
    run(
        [
            *("openssl", "req", "-x509", "-new", "-key", authority_key(), "-subj", "/CN=ccf-e2e", "-days", "365"),
            *("-addext", "keyUsage=critical,keyCertSign,digitalSignature", "-out", authority()),
        ]
    )
    run(["openssl", "genrsa", "-out", service_account_key(), "2048"])
    identities: Iterable[Identity] = (
        API_SERVER,
        API_SERVER_TO_KUBELETS,
        ADMINISTRATOR,
        CONTROLLER_MANAGER,
        SCHEDULER,
        PROXY,
        DNS,
        *KUBELETS.values(),
    )
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(_make, identities))


def _make_key(path: Path) -> None:
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path])


def _make(identity: Identity) -> None:
    _make_key(identity.key)
    organisation = f"/O={identity.organisation}" if identity.organisation else ""
    request = run(
        ["openssl", "req", "-new", "-key", identity.key, "-subj", f"{organisation}/CN={identity.common_name}"]
    )
    extensions = "keyUsage=digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n"
    if identity.serves:
        extensions += f"subjectAltName={','.join(identity.serves)}\n"
    file = directory() / f"{identity.name}.extensions"
    file.write_text(extensions)
    serial = f"0x{os.urandom(16).hex()}"
    run(
        [
            *("openssl", "x509", "-req", "-CA", authority(), "-CAkey", authority_key(), "-set_serial", serial),
            *("-days", "365", "-extfile", file, "-out", identity.certificate),
        ],
        stdin=request,
    )
    file.unlink()


def write_kubeconfig(identity: Identity, path: Path, address: str = API_ADDRESS) -> None:
    """A kubeconfig with everything inside, so that the file alone is enough."""

    def content(file: Path) -> str:
        return base64.b64encode(file.read_bytes()).decode()

    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "ccf-e2e",
        "clusters": [
            {
                "name": "ccf-e2e",
                "cluster": {
                    "server": f"https://{address}:{API_PORT}",
                    "certificate-authority-data": content(authority()),
                },
            }
        ],
        "users": [
            {
                "name": identity.name,
                "user": {
                    "client-certificate-data": content(identity.certificate),
                    "client-key-data": content(identity.key),
                },
            }
        ],
        "contexts": [{"name": "ccf-e2e", "context": {"cluster": "ccf-e2e", "user": identity.name}}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    put(path, json.dumps(config, indent=1))


def administrator_kubeconfig() -> Path:
    return state_directory() / "kubeconfig"


def kubeconfig_of(identity: Identity) -> Path:
    return directory() / f"{identity.name}.kubeconfig"
