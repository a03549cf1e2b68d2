"""Pods that never become a node: people read why, and a corrected spec replaces them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2e.harness.network import Network
from e2e.harness.waiting import eventually, throughout

NewNetwork = Callable[..., Network]

NO_IMAGE = "registry.invalid/nobody/ccf:1"


@pytest.mark.extended
def test_an_image_that_cannot_be_pulled_during_a_recovery(network: NewNetwork) -> None:
    bank = network().busy()
    bank.kubectl.apply(bank.manifest(image=NO_IMAGE))
    bank.kill(*bank.trusted()[:2])
    eventually("the image is named", lambda: NO_IMAGE in bank.words() and "Pull" in bank.words(), within=60)
    throughout("nothing is given up", lambda: _goes_on(bank), during=10)
    bank.kubectl.apply(bank.manifest())
    bank.wait_for_winner()
    bank.let_members_recover()
    assert NO_IMAGE not in bank.words()
    bank.check_nothing_is_missing()


def _goes_on(bank: Network) -> bool:
    status = bank.status()
    return status.get("attempt") is not None and status.get("reason") not in ("NothingRecovered", "ApprovalRequired")
