"""What clients are told of the service."""

from __future__ import annotations

import pytest

from ccf_operator.api.status import ServiceStatus
from ccf_operator.render.identity import identity_config_map
from unit.render.orders import NETWORK


def test_before_the_first_recovery() -> None:
    data = identity_config_map(NETWORK, ServiceStatus(certificate="new\n", public_key="ff", create_tx_id="2.1"))["data"]

    assert data == {
        "service_cert.pem": "new\n",
        "bundle.pem": "new\n",
        "recovery_count": "0",
        "create_txid": "2.1",
        "fingerprint": "ff",
    }


def test_clients_can_trust_both_services_through_a_recovery() -> None:
    service = ServiceStatus(certificate="new", previous_certificate="old", recovery_count=1)
    data = identity_config_map(NETWORK, service)["data"]

    assert data["bundle.pem"] == "new\nold\n"
    assert data["previous_service_cert.pem"] == "old\n"


def test_after_the_overlap_only_the_current_service_is_to_be_trusted() -> None:
    service = ServiceStatus(certificate="new", previous_certificate="old", recovery_count=1, overlap_ended=True)
    data = identity_config_map(NETWORK, service)["data"]

    assert data["bundle.pem"] == "new\n"
    assert data["previous_service_cert.pem"] == "old\n", "receipts of that time are still verified with it"


def test_nothing_is_published_of_a_service_that_is_not_known() -> None:
    with pytest.raises(ValueError, match="no certificate"):
        identity_config_map(NETWORK, ServiceStatus())
