"""docs/how-to/recover-by-hand.md, followed while no operator runs, by a person who is also the only member."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.harness.consortium import Consortium
from e2e.harness.network import Network, Setting
from e2e.harness.operator import Operator
from e2e.harness.person import lay_out, open_terminal
from e2e.harness.tx_ids import tx_id
from members import generate_member
from pages import Reading
from terminal import Terminal

NewNetwork = Callable[..., Network]


@pytest.fixture
def terminal(setting: Setting, tmp_path: Path) -> Iterator[Terminal]:
    with open_terminal(setting, tmp_path) as opened:
        yield opened


def test_a_network_is_recovered_by_hand_and_given_back(
    network: NewNetwork, operator: Operator, terminal: Terminal, tmp_path: Path
) -> None:
    page = Reading("how-to/recover-by-hand.md", __file__)

    def follow(section: str) -> str:
        return terminal.follow(page.section(section), within=300)

    bank = network(consortium=Consortium(threshold=1, members=[generate_member("alice")]))
    lay_out(bank, tmp_path)
    bank.open()
    bank.write()
    last = bank.client.committed[-1].tx_id

    with operator.away():
        dead = bank.serving()[:2]
        bank.kill(*dead)
        ended = "--for=jsonpath={.status.containerStatuses[0].state.terminated.reason}"
        bank.kubectl.run("wait", "pod", *dead, ended, "--timeout=60s", timeout=90)
        assert "3 nodes count" in follow("1. Save what is known")
        assert follow("2. Is the majority lost for good?").count("<none>") == 1
        follow("3. End what is left, and keep others out")
        follow("4. A recovery node on every volume, all at once")
        results = follow("5. What did each recover?").splitlines()[-3:]
        assert [line.split()[2] for line in results] == ["recoveries=1"] * 3
        assert tx_id(results[-1].split()[0]) >= tx_id(last)
        follow("6. May it be chosen?")
        follow("7. End the others, start nodes beside the winner")
        follow("8. The members accept it")
        assert follow("9. Is it open?").count("Open") == 3

    follow("Give it back to the operator")
    page.finish()
    bank.let_members_recover(recoveries=2)
    assert bank.missing() == []
    assert bank.identity()["previous_service_cert.pem"].strip() == (tmp_path / "recovered_cert.pem").read_text().strip()
