from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator.config import ConfigError, JoinCommand, RecoverCommand, StartCommand, parse


def minimal(**command: Any) -> dict[str, Any]:
    return {
        "network": {
            "node_to_node_interface": {"bind_address": "127.0.0.1:8081"},
            "rpc_interfaces": {"client": {"bind_address": "127.0.0.1:8080"}},
        },
        "command": command or {"type": "Start", "start": {"constitution_files": [], "members": []}},
    }


def test_the_defaults_are_those_of_ccf() -> None:
    config = parse(json.dumps(minimal()))
    assert isinstance(config.command, StartCommand)
    assert config.command.service_validity_days == 1
    assert config.node_certificate.validity_days == 1
    assert config.message_timeout == pytest.approx(0.1)
    assert config.election_timeout == 5
    assert (config.signature_tx_count, config.signature_delay) == (5000, 1)
    assert config.chunk_size == 5 * 1024 * 1024
    assert config.interfaces["client"].authority == "Service"
    assert config.interfaces["client"].published == "127.0.0.1:8080"
    assert config.n2n_published == "127.0.0.1:8081"
    assert config.ignore_first_sigterm is False


def test_paths_are_relative_to_the_working_directory() -> None:
    config = parse(json.dumps(minimal()), Path("/work"))
    assert config.ledger_directory == Path("/work/ledger")


def test_join() -> None:
    command = minimal(type="Join", join={"target_rpc_address": "pod.svc:8080"})
    join = parse(json.dumps(command)).command
    assert isinstance(join, JoinCommand)
    assert (str(join.target), join.retry_timeout, join.fetch_recent_snapshot) == ("pod.svc:8080", 1, True)


def test_recover() -> None:
    command = minimal(type="Recover", recover={"previous_service_identity_file": "old.pem"})
    recover = parse(json.dumps(command)).command
    assert recover == RecoverCommand(Path("old.pem"), 1)


WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "unknown section": lambda config: config.update(enclave={}),
    "unknown key of a section": lambda config: config.update(ledger={"chunk_bytes": "5MB"}),
    "unknown key of start": lambda config: config["command"]["start"].update(snapshot=1),
    "no network": lambda config: config.pop("network"),
    "no command": lambda config: config.pop("command"),
    "unknown command": lambda config: config["command"].update(type="Restart"),
    "command without its section": lambda config: config["command"].pop("start"),
    "number for a string": lambda config: config.update(tick_interval=10),
    "string for a flag": lambda config: config.update(ignore_first_sigterm="yes"),
    "no days": lambda config: config.update(node_certificate={"initial_validity_days": 0}),
    "a time that is none": lambda config: config.update(consensus={"election_timeout": "5 days"}),
    "an address that is none": lambda config: config["network"]["rpc_interfaces"]["client"].update(bind_address="x"),
    "self-healing, of a later version": lambda config: config.update(
        command={
            "type": "Recover",
            "recover": {"previous_service_identity_file": "x", "self_healing_open": {"addresses": []}},
        }
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_does_not_fit_is_refused(wrong: str) -> None:
    config = minimal()
    WRONG[wrong](config)
    with pytest.raises(ConfigError):
        parse(json.dumps(config))


def test_what_ccf_tolerates_is_tolerated() -> None:
    config = minimal()
    config["command"]["of_another_version"] = {}
    config["network"]["rpc_interfaces"]["client"]["of_another_version"] = {}
    parse(json.dumps(config))


def test_no_json_is_refused() -> None:
    with pytest.raises(ConfigError, match="parsing"):
        parse("{")
