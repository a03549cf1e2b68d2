"""One "machine": a containerd and a kubelet in a mount namespace and a control group of their own."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

from e2e.cluster import cgroups, debian, network, pki
from e2e.cluster.commands import attempt, inside, run
from e2e.cluster.daemons import Daemon
from e2e.cluster.files import put
from e2e.cluster.layout import (
    CLUSTER_DOMAIN,
    DNS_SERVICE_ADDRESS,
    KUBELET_PORT,
    VOLUME_OWNER,
    VOLUMES_PER_MACHINE,
    Machine,
)

PAUSE_IMAGE = "docker.io/local/pause:1"

# Fixed in containerd, the CNI library and the kubelet: each machine gets its own, empty at every start.
_PRIVATE_DIRECTORIES = ("/run/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers")


def containerd(machine: Machine) -> Daemon:
    return Daemon(f"{machine.name}-containerd")


def kubelet(machine: Machine) -> Daemon:
    return Daemon(f"{machine.name}-kubelet")


def is_running(machine: Machine) -> bool:
    return containerd(machine).pid is not None and kubelet(machine).pid is not None


def power_on(machine: Machine) -> None:
    """Start the containerd of a machine that is off, with a new boot id. Its volumes and images are kept."""
    machine.directory.mkdir(parents=True, exist_ok=True)
    _make_volumes(machine)
    machine.boot_id_file.write_text(f"{uuid.uuid4()}\n")
    cgroups.create(machine.cgroup)
    containerd(machine).start(
        inside("unshare", "--mount", "--propagation", "private", "sh", "-c", _boot_script(machine)),
        _daemon_group(machine),
    )


def start_kubelet(machine: Machine, binaries: Path) -> None:
    """Start the kubelet beside its containerd, which must answer already."""
    kubeconfig = pki.kubeconfig_of(pki.KUBELETS[machine.number])
    pki.write_kubeconfig(pki.KUBELETS[machine.number], kubeconfig, machine.api_address)
    kubelet(machine).start(
        [
            *inside(f"--mount=/proc/{containerd(machine).pid}/ns/mnt", binaries / "kubelet"),
            f"--config={_write_kubelet_config(machine)}",
            f"--kubeconfig={kubeconfig}",
            f"--hostname-override={machine.name}",
            f"--node-ip={machine.address}",
            f"--node-labels=topology.kubernetes.io/zone={machine.zone}",
            f"--root-dir={machine.directory / 'kubelet'}",
            f"--cert-dir={machine.directory / 'kubelet-pki'}",
            f"--boot_id_file={machine.boot_id_file}",
            "--v=2",
        ],
        _daemon_group(machine),
    )


def stop_kubelet(machine: Machine) -> None:
    """End the kubelet alone: containerd and all containers go on."""
    kubelet(machine).stop()


def power_off(machine: Machine) -> None:
    """Lose the machine in an instant: nothing it runs ends in order, nothing it would still send arrives."""
    if network.exists():
        network.lose(machine)
    daemons = (kubelet(machine), containerd(machine))
    cgroups.kill_all(machine.cgroup, first=tuple(pid for daemon in daemons if (pid := daemon.pid) is not None))
    cgroups.remove(machine.cgroup)
    # What lies in memory on a real machine, and the leases of addresses that nobody holds any more.
    for transient in ("containerd-state", "cni-leases", "containerd.sock", "containerd.sock.ttrpc"):
        path = machine.directory / transient
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def mount_memory(machine: Machine, path: Path, size: str) -> None:
    """Have a file system in memory at a path of a machine that runs, of a size such as `4m`; one that is there gets it.

    Only the machine sees it: `seen_from_here` is the way to it.
    """
    path.mkdir(parents=True, exist_ok=True)
    there = [*_in_its_mounts(machine), "mount"]
    if attempt([*_in_its_mounts(machine), "mountpoint", "--quiet", path]):
        run([*there, "-o", f"remount,size={size}", path])
    else:
        run([*there, "-t", "tmpfs", "-o", f"size={size},uid={VOLUME_OWNER},gid={VOLUME_OWNER},mode=770", "tmpfs", path])


def seen_from_here(machine: Machine, path: Path) -> Path:
    """A path of a machine that runs, its own mounts included."""
    return Path(f"/proc/{containerd(machine).pid}/root") / path.relative_to("/")


def _in_its_mounts(machine: Machine) -> list[str]:
    return ["nsenter", f"--mount=/proc/{containerd(machine).pid}/ns/mnt"]


def _daemon_group(machine: Machine) -> str:
    return f"{machine.cgroup}/daemons"


def _boot_script(machine: Machine) -> str:
    for path in _PRIVATE_DIRECTORIES:
        Path(path).mkdir(parents=True, exist_ok=True)
    mounts = " && ".join(f"mount -t tmpfs tmpfs {path}" for path in _PRIVATE_DIRECTORIES)
    # Mounts spread among this machine's own processes only, never to the rest of the system.
    return f"mount --make-rshared / && {mounts} && exec containerd --config {_write_containerd_config(machine)}"


def remove_private_directories() -> None:
    """Remove the mount points made for the machines, where nothing else uses them."""
    for path in _PRIVATE_DIRECTORIES:
        directory = Path(path)
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()


def _make_volumes(machine: Machine) -> None:
    for number in range(1, VOLUMES_PER_MACHINE + 1):
        path = machine.volumes / f"{number:02d}"
        path.mkdir(parents=True, exist_ok=True)
        # A local volume is used as it is: the kubelet does not apply fsGroup to it.
        shutil.chown(path, VOLUME_OWNER, VOLUME_OWNER)
        path.chmod(0o770)


def _write_containerd_config(machine: Machine) -> Path:
    cni = machine.directory / "cni"
    put(
        cni / "10-bridge.conflist",
        json.dumps(
            {
                "cniVersion": "1.0.0",
                "name": "pods",
                "plugins": [
                    {
                        "type": "bridge",
                        "bridge": machine.bridge,
                        "isGateway": True,
                        "ipMasq": False,
                        "hairpinMode": True,
                        "ipam": {
                            "type": "host-local",
                            "ranges": [[{"subnet": machine.pod_range}]],
                            "routes": [{"dst": "0.0.0.0/0"}],
                            "dataDir": str(machine.directory / "cni-leases"),
                        },
                    }
                ],
            },
            indent=1,
        ),
    )
    return put(
        machine.directory / "containerd.toml",
        f"""version = 2
root = "{machine.directory}/containerd"
state = "{machine.directory}/containerd-state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "{machine.containerd_socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  stream_server_address = "{machine.address}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{debian.CNI_PROGRAMS}"
    conf_dir = "{cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
""",
    )


def _write_kubelet_config(machine: Machine) -> Path:
    identity = pki.KUBELETS[machine.number]
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": machine.address,
        "port": KUBELET_PORT,
        "readOnlyPort": 0,
        "healthzBindAddress": machine.address,
        "healthzPort": 10248,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki.authority())},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(identity.certificate),
        "tlsPrivateKeyFile": str(identity.key),
        "containerRuntimeEndpoint": f"unix://{machine.containerd_socket}",
        "cgroupRoot": f"/{machine.cgroup}",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": False,
        "resolvConf": "",
        "clusterDNS": [DNS_SERVICE_ADDRESS],
        "clusterDomain": CLUSTER_DOMAIN,
        "podLogsDir": str(machine.directory / "pod-logs"),
        "volumePluginDir": str(machine.directory / "volume-plugins"),
        "makeIPTablesUtilChains": False,
        "maxPods": 80,
        # All machines share one real disk and memory: its state must not evict anybody.
        "evictionHard": {"memory.available": "1Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "nodeStatusUpdateFrequency": "3s",
        "nodeLeaseDurationSeconds": 8,
        "serializeImagePulls": False,
        "shutdownGracePeriod": "0s",
    }
    return put(machine.directory / "kubelet.json", json.dumps(config, indent=1))
