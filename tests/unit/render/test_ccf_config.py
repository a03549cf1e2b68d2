"""CCF's configuration: valid by CCF's schema as the simulator knows it, and saying what the design says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ccf_operator.api.status import Command
from ccf_operator.render import layout
from ccf_operator.render.ccf_config import config_json
from ccf_operator.render.config_map import config_map
from simulator import config as ccf
from unit.render.orders import NODE, order_of

HOST = f"{NODE}.bank-nodes.money.svc.cluster.example"


def rendered(command: Command, /, **changes: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(config_json(order_of(command, **changes)))
    return loaded


@pytest.mark.parametrize("command", list(Command))
def test_ccf_accepts_it(command: Command) -> None:
    parsed = ccf.parse(config_json(order_of(command)), Path("/"))

    assert parsed is not None
    assert rendered(command)["command"]["type"] == command.value


@pytest.mark.parametrize("command", list(Command))
def test_every_file_it_names_is_in_the_config_map(command: Command) -> None:
    text = config_json(order_of(command))
    data = config_map(order_of(command))["data"]

    named = {word for word in text.replace('"', " ").replace(",", " ").split() if word.startswith(layout.CONFIG + "/")}

    assert named
    assert {name.removeprefix(layout.CONFIG + "/") for name in named} <= set(data)


@pytest.mark.parametrize("command", list(Command))
def test_peers_and_joiners_meet_names_its_certificate_is_good_for(command: Command) -> None:
    config = rendered(command)
    interfaces = config["network"]["rpc_interfaces"]

    published = {i["published_address"] for i in interfaces.values()}
    published.add(config["network"]["node_to_node_interface"]["published_address"])
    assert {address.rpartition(":")[0] for address in published} == {HOST}
    assert f"dNSName:{HOST}" in config["node_certificate"]["subject_alt_names"]


def test_clients_can_verify_the_name_of_the_service() -> None:
    assert "dNSName:bank.money.svc.cluster.example" in rendered(Command.JOIN)["node_certificate"]["subject_alt_names"]


@pytest.mark.parametrize("command", list(Command))
def test_it_can_be_asked_before_the_service_endorses_it(command: Command) -> None:
    interfaces = rendered(command)["network"]["rpc_interfaces"]

    assert interfaces["operator"]["endorsement"] == {"authority": "Node"}
    assert interfaces["client"]["endorsement"] == {"authority": "Service"}


@pytest.mark.parametrize("command", list(Command))
def test_nothing_is_written_outside_its_own_generation(command: Command) -> None:
    config = rendered(command)

    written = [config["ledger"]["directory"], config["snapshots"]["directory"], *config["output_files"].values()]
    assert all(path.startswith(layout.CURRENT + "/") for path in written)


def test_a_candidate_reads_its_lineage_in_order_and_nobody_else_reads_any() -> None:
    assert rendered(Command.RECOVER)["ledger"]["read_only_directories"] == [
        "/ledger/volume/gen-0/ledger",
        "/ledger/volume/gen-3/ledger",
    ]
    assert rendered(Command.JOIN)["ledger"]["read_only_directories"] == []


def test_a_joiner_takes_no_snapshot_and_is_noticed_before_the_primary_misses_it() -> None:
    join = rendered(Command.JOIN, consensus={"electionTimeout": "1s"})["command"]["join"]

    assert join["fetch_recent_snapshot"] is False
    assert join["retry_timeout"] == "500ms"


def test_certificates_last_as_long_as_asked_for() -> None:
    lifetimes = {"certificates": {"nodeValidityDays": 30, "serviceValidityDays": 90}}

    for command, section in ((Command.START, "start"), (Command.RECOVER, "recover")):
        config = rendered(command, **lifetimes)
        assert config["node_certificate"]["initial_validity_days"] == 30
        assert config["command"][section]["initial_service_certificate_validity_days"] == 90


def test_no_threshold_is_that_of_all_members() -> None:
    def threshold(**changes: Any) -> object:
        return rendered(Command.START, **changes)["command"]["start"]["service_configuration"]["recovery_threshold"]

    assert threshold() == 0
    with_key = {"name": "alice", "certificate": {"value": "x"}, "encryptionPublicKey": {"value": "y"}}
    assert threshold(recoveryThreshold=1, members=[with_key]) == 1


def test_members_and_constitution_are_in_the_order_given() -> None:
    start = rendered(Command.START)["command"]["start"]

    assert [path.rpartition("/")[2] for path in start["constitution_files"]] == [
        "constitution_0.js",
        "constitution_1.js",
    ]
    assert start["members"][0]["recovery_role"] == "Owner"
    assert set(start["members"][1]) == {"certificate_file"}


def test_text_in_a_value_cannot_become_another_key() -> None:
    order = order_of(Command.JOIN)
    order.record.join_address = 'host:1", "follow_redirect": "x'

    assert json.loads(config_json(order))["command"]["join"]["target_rpc_address"] == 'host:1", "follow_redirect": "x'
