"""Settings: what is missing or makes no sense is named."""

from __future__ import annotations

import pytest

from ccf_operator.settings import BadSettings, from_environment

LEAST = {"CCF_OPERATOR_IMAGE": "operator:1"}


def test_the_image_suffices() -> None:
    settings = from_environment(LEAST)

    assert settings.image == "operator:1"
    assert settings.namespaces == ()
    assert settings.cluster_domain == "cluster.local"
    assert settings.log_format == "json"
    assert settings.health_port == 8080


def test_everything_can_be_set() -> None:
    settings = from_environment(
        {
            **LEAST,
            "CCF_OPERATOR_WATCH_NAMESPACES": " money, ,bank,money",
            "CCF_OPERATOR_ROLE_BINDING": "operator-networks",
            "CCF_OPERATOR_CLUSTER_DOMAIN": "cluster.example.",
            "CCF_OPERATOR_LOG_LEVEL": "DEBUG",
            "CCF_OPERATOR_LOG_FORMAT": "console",
            "CCF_OPERATOR_HEALTH_PORT": "9090",
            "POD_NAME": "operator-abc",
            "POD_NAMESPACE": "operators",
            "NODE_NAME": "m7",
        }
    )

    assert settings.namespaces == ("bank", "money")
    assert settings.role_binding == "operator-networks"
    assert settings.cluster_domain == "cluster.example"
    assert (settings.log_level, settings.log_format) == ("debug", "console")
    assert settings.health_port == 9090
    assert (settings.pod_name, settings.pod_namespace, settings.machine) == ("operator-abc", "operators", "m7")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CCF_OPERATOR_IMAGE", ""),
        ("CCF_OPERATOR_LOG_LEVEL", "loud"),
        ("CCF_OPERATOR_LOG_FORMAT", "xml"),
        ("CCF_OPERATOR_HEALTH_PORT", "0"),
        ("CCF_OPERATOR_HEALTH_PORT", "http"),
    ],
)
def test_what_makes_no_sense_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=name):
        from_environment({**LEAST, name: value})
