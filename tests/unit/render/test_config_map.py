"""The ConfigMap of a node: all its files, and nothing that may change under it."""

from __future__ import annotations

import json

import pytest

from ccf_operator.api.status import Command
from ccf_operator.render.config_map import config_map, stage_json
from ccf_operator.stage.plan import parse_plan
from unit.render.orders import CERTIFICATE, NETWORK, NODE, VOLUME, order_of


def test_it_is_immutable_and_goes_with_the_network() -> None:
    manifest = config_map(order_of(Command.START))

    assert manifest["immutable"] is True
    assert manifest["metadata"]["ownerReferences"][0]["uid"] == NETWORK.uid
    assert manifest["metadata"]["name"] == NODE


def test_a_constitution_file_cannot_take_the_place_of_the_configuration() -> None:
    order = order_of(Command.START)
    hostile = type(order.inputs)(constitution=(("config.json", "evil"),), members=order.inputs.members)

    data = config_map(type(order)(**{**vars(order), "inputs": hostile}))["data"]

    assert "evil" not in data["config.json"]
    assert "evil" in data.values()


def test_stage_is_told_what_to_survey_and_what_to_claim() -> None:
    plan = json.loads(stage_json(order_of(Command.RECOVER)))

    assert plan["lineage"] == [0, 3]
    assert (plan["volume"], plan["generation"], plan["node"], plan["attempt"]) == (VOLUME, 5, NODE, 1)
    assert plan["configuration"] == ["n1", "n2", "n3"]
    assert plan["recoveryCount"] == 2
    assert plan["serviceCertificate"] == CERTIFICATE
    assert plan["network"]["uid"] == NETWORK.uid


@pytest.mark.parametrize("command", list(Command))
def test_stage_understands_its_plan(command: Command) -> None:
    plan = parse_plan(stage_json(order_of(command)))

    assert plan.command == command.value
    assert plan.lineage == ((0, 3) if command is Command.RECOVER else ())


def test_only_the_first_node_holds_the_members_and_the_constitution() -> None:
    first, joiner = (set(config_map(order_of(c))["data"]) for c in (Command.START, Command.JOIN))

    assert {"member_0_cert.pem", "member_0_encryption_key.pem", "member_0_data.json", "constitution_1.js"} <= first
    assert joiner == {"config.json", "stage.json", "node_data.json", "service_cert.pem"}
