"""Names of images."""

from __future__ import annotations

import pytest

from e2e.cluster.images import reference


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("ccf-operator:e2e", "docker.io/local/ccf-operator:e2e"),
        ("ccf-operator", "docker.io/local/ccf-operator:latest"),
        ("registry.example:5000/a/b:1", "registry.example:5000/a/b:1"),
        ("registry.example:5000/a/b", "registry.example:5000/a/b:latest"),
    ],
)
def test_short_names_are_local_ones(name: str, full: str) -> None:
    assert reference(name) == full
