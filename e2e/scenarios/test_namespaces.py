"""A namespace deleted with a network that runs in it: it goes, and nothing of ours holds it up."""

from __future__ import annotations

from collections.abc import Callable

from e2e.harness.network import Network
from e2e.harness.waiting import eventually

NewNetwork = Callable[..., Network]


def test_a_namespace_deleted_with_a_running_network_is_gone_within_a_minute(network: NewNetwork) -> None:
    bank = network().open()
    bank.kubectl.delete("namespace", [bank.kubectl.namespace], "--wait=false")
    eventually("the namespace is gone", lambda: not bank.kubectl.exists("namespace", bank.kubectl.namespace), within=60)
