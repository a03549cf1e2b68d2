"""Where a pod is asked: CCF listens on IPv4 only."""

from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.kube.views import pod_view


@pytest.mark.parametrize(
    ("status", "address"),
    [
        ({"podIP": "10.1.2.3"}, "10.1.2.3"),
        ({"podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}, {"ip": "fd00::7"}]}, "10.1.2.3"),
        ({"podIP": "fd00::7", "podIPs": [{"ip": "fd00::7"}, {"ip": "10.1.2.3"}]}, "10.1.2.3"),
        ({"podIP": "fd00::7", "podIPs": [{"ip": "fd00::7"}]}, "fd00::7"),
        ({"podIP": "fd00::7"}, "fd00::7"),
        ({"podIP": "", "podIPs": [{}]}, None),
        ({}, None),
    ],
)
def test_ipv4_is_preferred(status: dict[str, Any], address: str | None) -> None:
    raw = {"metadata": {"name": "a", "uid": "u"}, "status": status}
    assert pod_view(raw).ip == address
