"""What can go wrong with a cluster, each as one function: lost machines, cut networks, signalled processes."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from e2e.cluster import cgroups, containers, network
from e2e.cluster.api import Api, Object
from e2e.cluster.layout import HOST_ADDRESS, Machine, machines
from e2e.cluster.say import ClusterError

# Signals that stop, continue or kill concern all of a container; others are for its first process to handle.
_FOR_ALL_PROCESSES = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT}


def machines_named(word: str) -> list[Machine]:
    """`all`, a number or a name such as `machine-2`."""
    known = machines()
    if word == "all":
        return known
    found = [machine for machine in known if word in (str(machine.number), machine.name)]
    if not found:
        raise ClusterError(f"there is no machine {word}: say all, a number up to {len(known)}, or a name")
    return found


def addresses(api: Api, namespace: str, pods: str) -> list[str]:
    """Addresses of pods named with commas between; `NAMESPACE/POD` is allowed, `host` is this machine."""
    return [_address(api, namespace, word) for word in pods.split(",")]


def _address(api: Api, namespace: str, word: str) -> str:
    if word == "host":
        return HOST_ADDRESS
    found = _pod(api, namespace, word)["status"].get("podIP")
    if not found:
        raise ClusterError(f"pod {word} has no address")
    return str(found)


def partition(api: Api, namespace: str, pods: str, others: str) -> None:
    """Drop the packets between the two sides, both ways, until `heal`."""
    network.partition(addresses(api, namespace, pods), addresses(api, namespace, others))


def signal_containers(api: Api, namespace: str, pods: str, container: str, sent: signal.Signals) -> list[int]:
    """Send a signal to a container of each pod, named with commas between, from outside as a machine's kernel would.

    All of them get it in the same instant. The processes reached.
    """
    reached: list[int] = []
    for first in [_first_process(api, namespace, name, container) for name in pods.split(",")]:
        reached += cgroups.processes_with(first) if sent in _FOR_ALL_PROCESSES else [first]
    for pid in reached:
        with suppress(ProcessLookupError):
            os.kill(pid, sent)
    return reached


def _first_process(api: Api, namespace: str, name: str, container: str) -> int:
    pod = _pod(api, namespace, name)
    status = pod["status"]
    statuses = status.get("containerStatuses", []) + status.get("initContainerStatuses", [])
    identifiers = [one.get("containerID", "") for one in statuses if one["name"] == container]
    if not identifiers or not identifiers[0]:
        raise ClusterError(f"pod {name} has no started container {container}")
    machine = machines_named(pod["spec"]["nodeName"])[0]
    first = containers.process_of(machine, identifiers[0].removeprefix("containerd://"))
    if first is None:
        raise ClusterError(f"container {container} of pod {name} does not run")
    return first


def _pod(api: Api, namespace: str, word: str) -> Object:
    place, _, name = word.rpartition("/")
    return api.get(f"/api/v1/namespaces/{place or namespace}/pods/{name}")
