"""Bringing the cluster up, looking at it, and taking it down without a trace."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster import (
    archive,
    cgroups,
    containers,
    control_plane,
    debian,
    machine,
    memory,
    network,
    objects,
    pki,
    volumes,
)
from e2e.cluster.api import Api, Object, administrator, wait_until
from e2e.cluster.binaries import ensure_binaries
from e2e.cluster.commands import attempt
from e2e.cluster.files import put
from e2e.cluster.layout import CGROUP, Machine, machines, state_directory
from e2e.cluster.say import ClusterError, say

_MARKER = "ccf-operator-e2e.txt"


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold off a second `up`, `down` or machine command until this one is done."""
    with Path("/run/ccf-e2e.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up() -> None:
    """A ready cluster with all its machines, whatever there was before: nothing, a part, or remains."""
    _require_root()
    debian.ensure_packages()
    binaries = ensure_binaries()
    with one_at_a_time():
        if _control_plane_runs():
            _repair(binaries)
        else:
            if state_directory().exists() or network.exists() or cgroups.exists():
                say("removing what is left of an earlier cluster")
                _remove()
            _start(binaries)
        released = volumes.recycle(administrator())
        if released:
            say(f"volumes free again: {', '.join(released)}")
    say(f"the cluster is ready; KUBECONFIG={pki.administrator_kubeconfig()}")


def down() -> None:
    """No process, mount, namespace, link, route, rule, control group or file of the cluster remains."""
    _require_root()
    with one_at_a_time():
        _remove()
    Path("/run/ccf-e2e.lock").unlink(missing_ok=True)
    say("the cluster is gone")


def start_machine(one: Machine) -> None:
    """Power on: the machine comes back with its volumes and images."""
    binaries = ensure_binaries()
    _power_on(one, binaries)
    api = administrator()
    wait_until(lambda: _is_ready(api, one), f"readiness of {one.name}", 60)


def restart_kubelet(one: Machine) -> None:
    """End a machine's kubelet and start it anew, which decides again about every pod; containers go on meanwhile."""
    machine.stop_kubelet(one)
    machine.start_kubelet(one, ensure_binaries())
    wait_until(lambda: _is_ready(administrator(), one), f"readiness of {one.name}", 60)


def save_objects(name: str) -> None:
    """Keep what the API server holds now under a name. The API server is away for some seconds."""
    control_plane.stop_api_server()
    memory.keep(name)
    control_plane.start_api_server(ensure_binaries())
    _wait_for_api_server(administrator())


def restore_objects(name: str) -> None:
    """Let the API server hold what was kept under a name, and start everything anew that remembers what came after.

    Containers go on, until their kubelets hear which pods there are now.
    """
    memory.require(name)
    binaries = ensure_binaries()
    control_plane.stop_controllers()
    running = [one for one in machines() if machine.kubelet(one).pid is not None]
    for one in running:
        machine.stop_kubelet(one)
    control_plane.stop_api_server()
    memory.put_back(name)
    control_plane.start_api_server(binaries)
    api = administrator()
    _wait_for_api_server(api)
    control_plane.start_controllers(binaries)
    for one in running:
        machine.start_kubelet(one, binaries)
    _wait_until_ready(api)


def status() -> str:
    """What runs and what does not, for people."""
    lines = []
    for daemon in control_plane.DAEMONS:
        lines.append(f"{daemon.name:24} {_running(daemon.pid)}")
    api = administrator() if _control_plane_runs() else None
    for one in machines():
        node = "" if api is None else ("Ready" if _is_ready(api, one) else "NotReady")
        pids = machine.containerd(one).pid, machine.kubelet(one).pid
        lines.append(f"{one.name:24} containerd {_running(pids[0])}, kubelet {_running(pids[1])} {node}")
    if api is not None:
        lines.append(f"volumes                  {volumes.summary(api)}")
        lines.append(f"kubeconfig               {pki.administrator_kubeconfig()}")
    return "\n".join(lines)


def _running(pid: int | None) -> str:
    return "not running" if pid is None else f"running ({pid})"


def _require_root() -> None:
    if os.geteuid() != 0:
        raise ClusterError("this needs root: it makes a network namespace, mounts and control groups")


def _control_plane_runs() -> bool:
    return all(daemon.pid is not None for daemon in (control_plane.ETCD, control_plane.API_SERVER))


def _start(binaries: Path) -> None:
    say("starting the control plane")
    _claim_state_directory()
    pki.make_all()
    pki.write_kubeconfig(pki.ADMINISTRATOR, pki.administrator_kubeconfig())
    network.create()
    control_plane.start_api_server(binaries)
    with ThreadPoolExecutor(len(machines())) as pool:
        booted = [pool.submit(_boot, one, binaries) for one in machines()]
        api = administrator()
        _wait_for_api_server(api)
        objects.create_all(api)
        control_plane.start_controllers(binaries)
        for future in booted:
            future.result()
        say("starting the kubelets")
        for one in machines():
            machine.start_kubelet(one, binaries)
    _wait_until_ready(api)


def _repair(binaries: Path) -> None:
    api = administrator()
    _wait_for_api_server(api)
    network.heal_partitions()
    objects.create_all(api)
    control_plane.start_controllers(binaries)
    for one in machines():
        network.restore_api(one)
        if not machine.is_running(one):
            say(f"starting {one.name}")
            _power_on(one, binaries)
    _wait_until_ready(api)


def _power_on(one: Machine, binaries: Path) -> None:
    if machine.is_running(one):
        return
    machine.power_off(one)
    network.regain(one)
    _boot(one, binaries)
    machine.start_kubelet(one, binaries)


def _boot(one: Machine, binaries: Path) -> None:
    machine.power_on(one)
    containers.wait_for_containerd(one, machine.containerd(one))
    pause = one.directory / "pause.tar"
    archive.write_program_image(pause, machine.PAUSE_IMAGE, binaries / "pause")
    containers.load_image(one, pause, machine.PAUSE_IMAGE, binaries.name)


def _wait_for_api_server(api: Api) -> None:
    def ready() -> bool:
        control_plane.ETCD.require_running()
        control_plane.API_SERVER.require_running()
        return api.ready()

    wait_until(ready, "readiness of the API server", 90)


def _wait_until_ready(api: Api) -> None:
    say("waiting for the machines")
    for one in machines():

        def ready(one: Machine = one) -> bool:
            machine.kubelet(one).require_running()
            return _is_ready(api, one)

        wait_until(ready, f"readiness of {one.name}", 90)
    say("waiting for DNS")
    for daemon in control_plane.DAEMONS:
        daemon.require_running()
    wait_until(network.dns_answers, "an answer of the cluster's DNS through its service address", 90)
    wait_until(lambda: _has(api, "/api/v1/namespaces/default/serviceaccounts/default"), "a service account", 60)


def _has(api: Api, path: str) -> bool:
    try:
        api.get(path)
    except ClusterError:
        return False
    return True


def _is_ready(api: Api, one: Machine) -> bool:
    try:
        node: Object = api.get(f"/api/v1/nodes/{one.name}")
    except ClusterError:
        return False
    conditions = node["status"].get("conditions", [])
    boot_id = node["status"].get("nodeInfo", {}).get("bootID")
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and boot_id == one.boot_id_file.read_text().strip()


def _remove() -> None:
    _refuse_foreign_state()
    for one in machines():
        machine.power_off(one)
    for daemon in reversed(control_plane.DAEMONS):
        daemon.stop(signal.SIGKILL)
    cgroups.kill_all(CGROUP)
    cgroups.remove(CGROUP)
    network.destroy()
    _unmount_below(state_directory())
    machine.remove_private_directories()
    if state_directory().exists():
        remove_directory(state_directory(), last=_MARKER)


def remove_directory(directory: Path, last: str) -> None:
    """Remove a directory, and the file that says whose it is last: what stops in between can be begun again.

    Raises OSError.
    """
    for one in sorted(directory.iterdir()):
        if one.name == last:
            continue
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one)
        else:
            one.unlink()
    shutil.rmtree(directory)


def _claim_state_directory() -> None:
    """Mark the state directory as ours before anything is put there, so that `down` never removes another's."""
    _refuse_foreign_state()
    put(state_directory() / _MARKER, "The test cluster's own directory: `e2e/cluster/cluster down` removes it.\n")


def _refuse_foreign_state() -> None:
    directory = state_directory()
    if directory.exists() and any(directory.iterdir()) and not (directory / _MARKER).exists():
        raise ClusterError(f"{directory} holds something else: set CCF_OPERATOR_STATE to a directory of its own")


def _unmount_below(directory: Path) -> None:
    """A machine's mounts end with its processes; this is for what an interrupted start may have left."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for path in reversed([mount for mount in mounts if Path(mount).is_relative_to(directory)]):
        attempt(["umount", "--lazy", path])
