"""Where everything of the test cluster lies: paths, names, addresses.

All traffic stays in the network namespace NETNS and on the veth pair that joins it to the machine.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
REPOSITORY = SOURCE.parent.parent

NETNS = "ccf-e2e"
VETH_OUTSIDE = "ccfe2e0"
VETH_INSIDE = "ccfe2e1"
CGROUP = "ccf-e2e"

LINK_PREFIX = 23
HOST_ADDRESS = "10.245.0.1"
API_ADDRESS = "10.245.0.2"
DNS_ADDRESS = "10.245.0.10"
API_PORT = 6443
POD_RANGE = "10.244.0.0/16"
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_SERVICE_ADDRESS = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"

KUBELET_PORT = 10250
MACHINES = 3
VOLUMES_PER_MACHINE = 16
VOLUME_SIZE = "20Gi"
VOLUME_OWNER = 1000
STORAGE_CLASS = "local"
SMALL_STORAGE_CLASS = "small"
SMALL_VOLUMES_PER_MACHINE = 6


def state_directory() -> Path:
    """The cluster's own directory; `down` removes it whole."""
    return Path(os.environ.get("CCF_OPERATOR_STATE", "/var/lib/ccf-operator-e2e"))


def cache_directory() -> Path:
    """Binaries and images, keyed by content; survives `down`."""
    configured = os.environ.get("CCF_OPERATOR_CACHE")
    return Path(configured) if configured else Path.home() / ".cache" / "ccf-operator"


@dataclass(frozen=True)
class Machine:
    """One "machine": a kubelet with a containerd of its own. Numbers start at 1."""

    number: int

    @property
    def name(self) -> str:
        return f"machine-{self.number}"

    @property
    def address(self) -> str:
        return f"10.245.0.{10 + self.number}"

    @property
    def api_address(self) -> str:
        """The API server under an address only this kubelet uses, so that it can be cut off alone."""
        return f"10.245.1.{self.number}"

    @property
    def pod_range(self) -> str:
        return f"10.244.{self.number}.0/24"

    @property
    def bridge(self) -> str:
        return f"ccfbr{self.number}"

    @property
    def zone(self) -> str:
        return f"zone-{self.number}"

    @property
    def cgroup(self) -> str:
        return f"{CGROUP}/{self.name}"

    @cached_property
    def directory(self) -> Path:
        return state_directory() / "machines" / self.name

    @property
    def containerd_socket(self) -> Path:
        return self.directory / "containerd.sock"

    @property
    def volumes(self) -> Path:
        return self.directory / "volumes"

    @property
    def boot_id_file(self) -> Path:
        return self.directory / "boot_id"


def machines() -> list[Machine]:
    return [Machine(number) for number in range(1, MACHINES + 1)]
