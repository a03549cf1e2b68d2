"""ConfigMaps that networks wait for, on a real API server."""

from __future__ import annotations

from typing import Any

from ccf_operator.kube.gateway import Gateway
from ccf_operator.reconcile.awaited import AT_ONCE, Awaited
from integration.control_plane import ControlPlane


def config_map(namespace: str, name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


class Woken:
    """How often each network was woken."""

    def __init__(self) -> None:
        self.times = {"a": 0, "b": 0}

    def wakes(self, network: str) -> Any:
        def wake() -> None:
            self.times[network] += 1

        return wake


async def test_a_network_is_woken_when_what_it_waits_for_appears_or_changes(
    gateway: Gateway, namespace: str, control_plane: ControlPlane
) -> None:
    awaited, woken = Awaited(gateway), Woken()
    awaited.expect("a", namespace, frozenset({"m", "c"}), woken.wakes("a"))
    awaited.expect("b", namespace, frozenset({"c"}), woken.wakes("b"))
    await awaited.look()
    assert woken.times == {"a": 0, "b": 0}

    await gateway.create(config_map(namespace, "m", key="1"))
    await awaited.look()
    await awaited.look()
    assert woken.times == {"a": 1, "b": 0}

    await gateway.create(config_map(namespace, "c"))
    await awaited.look()
    assert woken.times == {"a": 2, "b": 1}

    patch = '{"data": {"key": "2"}}'
    done = control_plane.kubectl("patch", "configmap", "m", "--namespace", namespace, "--type=merge", "-p", patch)
    assert done.returncode == 0, done.stderr
    awaited.forget("b")
    await awaited.look()
    assert woken.times == {"a": 3, "b": 1}


async def test_however_many_are_waited_for_each_has_its_turn(gateway: Gateway, namespace: str) -> None:
    awaited, woken = Awaited(gateway), Woken()
    names = [f"m-{number}" for number in range(2 * AT_ONCE + 1)]
    awaited.expect("a", namespace, frozenset(names), woken.wakes("a"))
    for name in names:
        await gateway.create(config_map(namespace, name))
    for looks in (AT_ONCE, 2 * AT_ONCE):
        await awaited.look()
        assert woken.times["a"] == looks
    await awaited.look()
    assert woken.times["a"] == len(names)
