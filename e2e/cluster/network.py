"""The cluster's network namespace, its link to this machine, and the packets that faults drop in it."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path

from e2e.cluster.commands import attempt, inside, run
from e2e.cluster.layout import (
    API_ADDRESS,
    API_PORT,
    API_SERVICE_ADDRESS,
    CLUSTER_DOMAIN,
    DNS_ADDRESS,
    DNS_SERVICE_ADDRESS,
    HOST_ADDRESS,
    KUBELET_PORT,
    LINK_PREFIX,
    NETNS,
    POD_RANGE,
    SERVICE_RANGE,
    VETH_INSIDE,
    VETH_OUTSIDE,
    Machine,
    machines,
)
from e2e.cluster.say import ClusterError

_TABLE = "ccf_faults"

_FAULT_RULES = f"""
table inet {_TABLE} {{
  set partitioned {{ type ipv4_addr . ipv4_addr; }}
  set lost {{ type ipv4_addr; flags interval; }}
  set cut_api {{ type ipv4_addr; }}
  set cut_kubelets {{ type ipv4_addr; }}
  chain faults {{
    ip saddr . ip daddr @partitioned drop
    ip saddr @lost drop
    ip daddr @lost drop
    ip saddr @cut_api drop
    ip daddr @cut_api drop
    ip daddr @cut_kubelets tcp dport {KUBELET_PORT} drop
    ip saddr @cut_kubelets tcp sport {KUBELET_PORT} drop
  }}
  chain forward {{ type filter hook forward priority -10; jump faults; }}
  chain output {{ type filter hook output priority -10; jump faults; }}
  chain input {{ type filter hook input priority -10; jump faults; }}
}}
"""


def exists() -> bool:
    return Path(f"/run/netns/{NETNS}").exists()


def create() -> None:
    """Make the namespace, the link, the routes and the empty fault table."""
    _refuse_foreign_routes()
    attempt(["modprobe", "-qa", "br_netfilter", "overlay", "nf_conntrack"])
    run(["ip", "netns", "add", NETNS])
    run(["ip", "link", "add", VETH_OUTSIDE, "type", "veth", "peer", "name", VETH_INSIDE, "netns", NETNS])
    run(["ip", "address", "add", f"{HOST_ADDRESS}/{LINK_PREFIX}", "dev", VETH_OUTSIDE])
    run(["ip", "link", "set", VETH_OUTSIDE, "up"])
    inner = [API_ADDRESS, DNS_ADDRESS]
    inner += [address for machine in machines() for address in (machine.address, machine.api_address)]
    lines = [f"link set {link} up" for link in ("lo", VETH_INSIDE)]
    lines += [f"address add {address}/{LINK_PREFIX} dev {VETH_INSIDE}" for address in inner]
    run(["ip", "-netns", NETNS, "-batch", "-"], stdin="\n".join(lines))
    # Without the second, a service's packets between two pods of one machine pass the bridge unseen.
    for setting in ("ipv4/ip_forward", "bridge/bridge-nf-call-iptables"):
        run(inside("sh", "-c", f"echo 1 > /proc/sys/net/{setting}"))
    for target in (POD_RANGE, SERVICE_RANGE):
        run(["ip", "route", "add", target, "via", API_ADDRESS, "dev", VETH_OUTSIDE])
    _nft(_FAULT_RULES)


def destroy() -> None:
    """Remove the namespace with all in it; the link and the routes go with it."""
    if exists():
        run(["ip", "netns", "delete", NETNS])
    attempt(["ip", "link", "delete", VETH_OUTSIDE])


def _refuse_foreign_routes() -> None:
    for target in (POD_RANGE, SERVICE_RANGE, f"{HOST_ADDRESS}/{LINK_PREFIX}"):
        route = run(["ip", "route", "show", "root", target]).strip()
        if route and VETH_OUTSIDE not in route:
            raise ClusterError(f"this machine already routes {target}: {route}")


def partition(ones: Iterable[str], others: Iterable[str]) -> None:
    """Drop every packet between an address of `ones` and an address of `others`, both ways."""
    pairs = {(a, b) for a in ones for b in others if a != b}
    both = sorted(pairs | {(b, a) for a, b in pairs})
    if both:
        _nft(f"add element inet {_TABLE} partitioned {{ {', '.join(f'{a} . {b}' for a, b in both)} }}")


def heal_partitions() -> None:
    _nft(f"flush set inet {_TABLE} partitioned")


def partitions() -> str:
    return run(inside("nft", "list", "set", "inet", _TABLE, "partitioned"))


def cut_api(machine: Machine) -> None:
    """Cut one kubelet off from the API server, both ways, without touching its pods' packets."""
    _nft(
        f"add element inet {_TABLE} cut_api {{ {machine.api_address} }}\n"
        f"add element inet {_TABLE} cut_kubelets {{ {machine.address} }}"
    )


def restore_api(machine: Machine) -> None:
    """Undo `cut_api`, and end the connections that stalled, so that nobody waits for their next retry.

    Connections of a machine that was not cut are left alone: kubelets back off for up to a minute after losing theirs.
    """
    if _remove_elements({"cut_api": machine.api_address, "cut_kubelets": machine.address}):
        _end_connections(machine)


def lose(machine: Machine) -> None:
    """Nothing the machine sends arrives any more, and nothing sent to it."""
    lost = f"{machine.pod_range}, {machine.address}, {machine.api_address}"
    _nft(f"add element inet {_TABLE} lost {{ {lost} }}")


def regain(machine: Machine) -> None:
    for element in (machine.pod_range, machine.address, machine.api_address):
        _remove_elements({"lost": element})
    _end_connections(machine)


def _remove_elements(elements: dict[str, str]) -> list[str]:
    """Take addresses out of sets; the sets that held theirs."""
    held = []
    for name, element in elements.items():
        listed = run(inside("nft", "list", "set", "inet", _TABLE, name))
        if element in listed.replace(",", " ").split():
            _nft(f"delete element inet {_TABLE} {name} {{ {element} }}")
            held.append(name)
    return held


def _end_connections(machine: Machine) -> None:
    for place in (f"{machine.api_address}:{API_PORT}", f"{machine.address}:{KUBELET_PORT}"):
        for side in ("src", "dst"):
            attempt(inside("ss", "-K", side, place))


def _nft(script: str) -> None:
    run(inside("nft", "-f", "-"), stdin=script)


def dns_answers() -> bool:
    """Whether the API server's own name resolves through the DNS service's address."""
    labels = f"kubernetes.default.svc.{CLUSTER_DOMAIN}".split(".")
    name = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + name + b"\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.5)
        try:
            asking.sendto(query, (DNS_SERVICE_ADDRESS, 53))
            answer = asking.recv(512)
        except OSError:
            return False
    return socket.inet_aton(API_SERVICE_ADDRESS) in answer
