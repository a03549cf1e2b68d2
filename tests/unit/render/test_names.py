"""Names: DNS labels, never two the same, and numbers that can be read back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccf_operator.render import names

NETWORKS = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
UIDS = st.uuids().map(str)
NUMBERS = st.integers(0, 99_999_999)
LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


@given(NETWORKS, UIDS, NUMBERS)
def test_every_name_is_a_dns_label(network: str, uid: str, number: int) -> None:
    made = [
        names.node_name(network, uid, number),
        names.volume_name(network, uid, number),
        names.client_service(network),
        names.nodes_service(network),
        names.identity_config_map(network),
        names.trusted_budget(network),
        names.recovery_budget(network),
    ]

    assert all(LABEL.fullmatch(name) and len(name) <= 63 for name in made)
    assert len(set(made)) == len(made)


@given(NETWORKS, UIDS, NUMBERS)
def test_numbers_are_read_back_and_nodes_are_not_taken_for_volumes(network: str, uid: str, number: int) -> None:
    node, volume = names.node_name(network, uid, number), names.volume_name(network, uid, number)

    assert names.node_counter(node, network, uid) == number
    assert names.volume_counter(volume, network, uid) == number
    assert names.node_counter(volume, network, uid) is None
    assert names.volume_counter(node, network, uid) is None


def test_a_network_made_anew_reads_no_number_of_its_predecessor() -> None:
    old, new = "11111111-0000-0000-0000-000000000000", "22222222-0000-0000-0000-000000000000"

    assert names.node_counter(names.node_name("bank", old, 4), "bank", new) is None


@pytest.mark.parametrize(
    ("host", "shown"), [("10.1.2.3", "10.1.2.3:8443"), ("fd00::7", "[fd00::7]:8443"), ("a.svc", "a.svc:8443")]
)
def test_an_ipv6_address_is_bracketed(host: str, shown: str) -> None:
    assert names.authority(host, 8443) == shown
