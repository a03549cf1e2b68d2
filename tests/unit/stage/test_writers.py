from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ccf_operator.ccf.identity import node_id
from ccf_operator.stage import writers
from ccf_operator.stage.plan import BadPlan
from ccf_operator.stage.report import ExitCode, Outcome, termination_message
from ccf_operator.stage.staging import stage
from ccf_operator.stage.writers import StillWritten, look, refuse_what_lives
from unit.stage.volumes import plan, put_ledger, silent

GONE = {"node": "bank-a", "nodeId": "ab" * 32, "address": "127.0.0.1", "port": 1}


def second(volume: Path, first: writers.FirstLook, **fields: Any) -> list[float]:
    """The second look, and how long was waited before it."""
    waited: list[float] = []
    refuse_what_lives(volume, plan(1, **fields), first, waited.append)
    return waited


def test_a_volume_that_stays_as_it_is_may_be_read_at_once_where_all_ends_were_reported(tmp_path: Path) -> None:
    put_ledger(tmp_path, 0, "damaged/intact")
    assert second(tmp_path, look(tmp_path, plan(1))) == []


def test_where_one_was_not_the_looks_are_some_time_apart(tmp_path: Path) -> None:
    put_ledger(tmp_path, 0, "damaged/intact")
    [waited] = second(tmp_path, look(tmp_path, plan(1)), former=[GONE])
    assert 0 <= waited <= writers.LOOKS_APART


@pytest.mark.parametrize("change", ["grows", "shrinks", "appears", "goes", "is written anew"])
@pytest.mark.parametrize("generation", [0, 2], ids=["in the lineage", "beside it"])
def test_a_ledger_that_changes_between_two_looks_has_a_writer(tmp_path: Path, change: str, generation: int) -> None:
    put_ledger(tmp_path, 0, "damaged/intact")
    put_ledger(tmp_path, generation, "damaged/intact") if generation else None
    directory = tmp_path / f"gen-{generation}"
    (directory / "manifest.json").write_text(json.dumps({"node": "bank-a", "network": {"uid": "u"}}))
    first = look(tmp_path, plan(1))
    file = directory / "ledger" / "ledger_168"
    match change:
        case "grows":
            file.write_bytes(file.read_bytes() + b"more")
        case "shrinks":
            file.write_bytes(file.read_bytes()[:-1])
        case "appears":
            (directory / "ledger" / "ledger_184").write_bytes(b"")
        case "goes":
            file.unlink()
        case _:
            stat = file.stat()
            file.write_bytes(file.read_bytes())
            os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    with pytest.raises(StillWritten, match=f"gen-{generation}/ledger/") as found:
        second(tmp_path, first)
    assert found.value.alive == ("bank-a",)


def test_what_the_candidate_itself_writes_is_no_sign(tmp_path: Path) -> None:
    put_ledger(tmp_path, 0, "damaged/intact")
    first = look(tmp_path, plan(1))
    put_ledger(tmp_path, 1, "damaged/intact")
    assert second(tmp_path, first) == []


@pytest.mark.parametrize(("shown", "lives"), [("ab", True), ("cd", False), (None, False)])
def test_a_former_node_that_answers_with_its_own_key_lives(
    tmp_path: Path, shown: str | None, lives: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_ledger(tmp_path, 0, "damaged/intact")
    monkeypatch.setattr(writers, "_who_answers", lambda former: [one for one in former if shown == one.node_id[:2]])
    first = look(tmp_path, plan(1))
    if lives:
        with pytest.raises(StillWritten, match="bank-a") as found:
            second(tmp_path, first, former=[GONE])
        assert found.value.alive == ("bank-a",)
    else:
        assert len(second(tmp_path, first, former=[GONE])) == 1


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A server that shows the certificate of a node; its id and its port."""
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CCF Node")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    certificate = made.sign(key, hashes.SHA384())
    pem = tmp_path / "node.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with suppress(OSError), context.wrap_socket(connection, server_side=True):
                        pass

        Thread(target=serve, daemon=True).start()
        yield node_id(certificate.public_bytes(Encoding.DER)), server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_the_key_it_shows_says_whether_it_is_the_node(node: tuple[str, int]) -> None:
    identity, port = node
    itself, another = {**GONE, "nodeId": identity, "port": port}, {**GONE, "port": port}
    former = plan(1, former=[itself, another, GONE]).former
    assert [one.node_id for one in writers._who_answers(former)] == [identity]


def test_who_does_not_speak_tls_or_is_not_there_is_not_the_node() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        there = {**GONE, "port": mute.getsockname()[1]}
        former = plan(1, former=[there, GONE]).former
        assert writers._who_answers(former) == []


def test_the_report_names_who_writes_in_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_ledger(tmp_path, 0, "damaged/intact")

    def alive(*_: object) -> None:
        raise StillWritten("x" * 900, [f"bank-{n:040}" for n in range(9)])

    monkeypatch.setattr("ccf_operator.stage.staging.refuse_what_lives", alive)
    report = stage(tmp_path, plan(1), silent)
    assert (report.outcome, report.exit_code) == (Outcome.WRITTEN, ExitCode.WRITTEN)
    said = termination_message(report)
    assert len(said) <= 500, "what a node's record keeps of it"
    assert json.loads(said)["alive"]


@pytest.mark.parametrize("former", [[1], [{"node": "a"}], [{**GONE, "port": "8443"}]])
def test_a_plan_that_does_not_say_whom_to_call_is_a_bad_one(former: list[object]) -> None:
    with pytest.raises(BadPlan):
        plan(1, former=former)
