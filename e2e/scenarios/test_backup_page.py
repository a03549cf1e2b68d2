"""docs/how-to/back-up-and-upgrade.md, followed on a network with one member, who decides alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.harness.consortium import Consortium
from e2e.harness.environment import Environment
from e2e.harness.faults import OwnCluster
from e2e.harness.network import Network, Setting
from e2e.harness.person import lay_out, open_terminal
from members import generate_member
from pages import ROOT, Reading
from terminal import Terminal

NewNetwork = Callable[..., Network]


@pytest.fixture
def terminal(environment: Environment, setting: Setting, tmp_path: Path) -> Iterator[Terminal]:
    if not isinstance(setting.faults, OwnCluster):
        pytest.skip("an image goes by two names on the project's own cluster only")
    with open_terminal(setting, tmp_path) as opened:
        opened.run(f"PATH={Path(environment.helm).parent}:$PATH; ln -s {ROOT / 'charts'} charts")
        yield opened


@pytest.mark.extended
def test_a_network_is_backed_up_restored_and_upgraded(
    network: NewNetwork, environment: Environment, terminal: Terminal, tmp_path: Path
) -> None:
    page = Reading("how-to/back-up-and-upgrade.md", __file__)

    def follow(section: str) -> str:
        return terminal.follow(page.section(section), within=300)

    alice = Consortium(threshold=1, members=[generate_member("alice")])
    bank = network(consortium=alice, spec={"pods": {"hostSpread": "Preferred"}})
    lay_out(bank, tmp_path)
    terminal.run("export CCF_MEMBER_CERT=cert.pem CCF_MEMBER_KEY=key.pem CCF_MEMBER_ENC_KEY=enc.pem")
    new = bank.setting.faults.another_name(bank.setting.image)
    terminal.run(f"export IMAGE={bank.setting.image} NEW_IMAGE={new}")
    terminal.run(f"export TAG={environment.operator_image.rpartition(':')[2]}")
    bank.open()
    bank.write()

    follow("What there is to save")
    assert "gen-0/ledger/ledger_1-" in follow("Copy a ledger")

    bank.kubectl.delete("ccfnetwork", ["bank"], "--timeout=90s")
    bank.kubectl.delete("pvc", bank.volumes())
    follow("Restore")
    bank.wait_for_recovered()
    assert bank.missing() == []

    assert "bank" in follow("Upgrade the operator")

    begin, swap, look, end = page.section("Upgrade CCF")
    bank.write()
    terminal.run(begin.text)
    for _ in range(3):
        terminal.run(swap.text, within=300)
    assert new in terminal.run(look.text)
    terminal.run(end.text, within=300)
    serving = [pod for pod in bank.pods() if pod["metadata"]["name"] in bank.serving()]
    assert {pod["spec"]["containers"][0]["image"] for pod in serving} == {new}
    assert bank.missing() == []
    page.finish()
