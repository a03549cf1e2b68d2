"""Names of images."""

from __future__ import annotations

import pytest

from e2e.cluster.images import full_names, reference


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


@pytest.mark.parametrize(
    ("used", "full"),
    [
        ("local/ccf:real", "docker.io/local/ccf:real"),
        ("ccf", "docker.io/local/ccf:latest"),
        ("debian:13", "docker.io/library/debian:13"),
        ("registry.example:5000/ccf", "registry.example:5000/ccf:latest"),
        ("docker.io/local/ccf:e2e", "docker.io/local/ccf:e2e"),
    ],
)
def test_an_image_is_found_by_the_name_that_a_pod_uses(used: str, full: str) -> None:
    assert full in full_names(used)
