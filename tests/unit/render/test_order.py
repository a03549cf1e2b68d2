"""What must be known before a node is rendered: a guess would start the wrong process."""

from __future__ import annotations

import pytest

from ccf_operator.api.status import Command, NetworkStatus
from ccf_operator.domain.observation import Inputs
from ccf_operator.render.order import NotRenderable, order
from unit.render.orders import INPUTS, NETWORK, NODE, PLATFORM, spec, status


def refused(wanted: NetworkStatus, inputs: Inputs = INPUTS, node: str = NODE) -> str:
    with pytest.raises(NotRenderable) as caught:
        order(PLATFORM, NETWORK, spec(), wanted, inputs, node)
    return str(caught.value)


def test_a_node_that_is_not_on_record() -> None:
    assert "not on record" in refused(status(Command.START), node="bank-0a1b2-9")


def test_a_candidate_of_no_attempt() -> None:
    orphan = status(Command.RECOVER)
    orphan.attempt = None
    assert "no candidate" in refused(orphan)


def test_a_candidate_without_lineage() -> None:
    empty = status(Command.RECOVER)
    assert empty.attempt is not None
    empty.attempt.candidates[0].lineage = []
    assert "no lineage" in refused(empty)


@pytest.mark.parametrize("command", [Command.JOIN, Command.RECOVER])
def test_no_service_certificate(command: Command) -> None:
    bare = status(command)
    bare.nodes[0].service_certificate = None
    assert "service certificate" in refused(bare)


def test_no_one_to_join() -> None:
    lonely = status(Command.JOIN)
    lonely.nodes[0].join_address = None
    assert "no address" in refused(lonely)


def test_a_first_node_without_what_the_spec_refers_to() -> None:
    missing = Inputs(problems=("ConfigMap constitution does not exist",))
    assert "does not exist" in refused(status(Command.START), missing)
    assert "nothing to start from" in refused(status(Command.START), Inputs())


def test_a_candidate_is_told_the_recovery_count_and_configuration_of_what_it_recovers() -> None:
    wanted = status(Command.RECOVER)
    wanted.service.recovery_count = 7
    ordered = order(PLATFORM, NETWORK, spec(), wanted, INPUTS, NODE)
    assert ordered.recovery_count == 2
    assert ordered.configuration == ("n1", "n2", "n3")
