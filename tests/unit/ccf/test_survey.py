from __future__ import annotations

import json
import shutil
import struct
from contextlib import suppress
from pathlib import Path

import ccf.ledger
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccf_operator.ccf.identity import key_fingerprint
from ccf_operator.ccf.survey import Survey, survey
from ccf_operator.domain.txid import TxID, recovered_tx_id
from unit.ccf.written_service import WrittenService

LEDGERS = Path(__file__).parents[2] / "fixtures" / "ccf" / "ledgers"
WHOLE = ["damaged/intact", "damaged/no-tail", *(f"{s}/n{i}" for s in ("divergent", "lagging") for i in range(3))]


def real(name: str) -> Survey:
    return survey([LEDGERS / name / "ledger"])


def recovered_by_ccf(name: str) -> TxID:
    facts = json.loads((LEDGERS / name).parent.joinpath("facts.json").read_text())
    return recovered_tx_id(TxID.parse(facts["recovered"][Path(name).name]["current_service_create_txid"]))


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_ledger_reaches_what_ccf_recovered_from_it(name: str) -> None:
    found = real(name)
    assert (found.last_signed, found.sound, found.problems) == (recovered_by_ccf(name), True, ())
    assert found.recovery_count == 0
    assert found.opened
    assert found.service_key == key_fingerprint(
        (LEDGERS / name).parent.joinpath("previous_service_cert.pem").read_text()
    )


@pytest.mark.parametrize(
    ("name", "sound", "problem"),
    [
        (
            "committed-chunk-bits-flipped",
            False,
            "ledger_116-167.committed: entries since 2.115 are not what was",
        ),
        ("committed-chunk-truncated", False, "ledger_116-167.committed: an entry is cut off"),
        ("middle-chunk-missing", False, "entries 43 to 115 are missing before ledger_116-167.committed"),
        ("tail-truncated", True, "ledger_168: an entry is cut off"),
        ("tail-zero-length", True, "ledger_168: 0 bytes long"),
    ],
)
def test_each_kind_of_damage_is_named(name: str, sound: bool, problem: str) -> None:
    found = real(f"damaged/{name}")
    assert found.sound is sound
    assert len(found.problems) == 1
    assert problem in found.problems[0]
    assert found.committed_end == 167


@pytest.mark.parametrize("name", ["tail-truncated", "tail-zero-length", "committed-chunk-bits-flipped"])
def test_damaged_ledgers_reach_what_ccf_recovered_from_them(name: str) -> None:
    assert real(f"damaged/{name}").last_signed == recovered_by_ccf(f"damaged/{name}")


def verified_by_the_reader_of_ccf(name: str) -> tuple[str, str]:
    """Last verified TxID and last entry, as the offline reader that CCF ships finds them before it gives up."""
    validator = ccf.ledger.LedgerValidator()
    last = ""
    with suppress(ValueError, struct.error, ccf.ledger.InvalidRootException):
        for chunk in ccf.ledger.Ledger([str(LEDGERS / name / "ledger")], committed_only=False):
            for transaction in chunk:
                validator.add_transaction(transaction)  # type: ignore[no-untyped-call]
                last = transaction.get_txid()
    return f"{validator.last_verified_view}.{validator.last_verified_seqno}", last


@pytest.mark.parametrize("name", [*WHOLE, "damaged/tail-truncated", "damaged/committed-chunk-bits-flipped"])
def test_the_reader_of_ccf_verifies_as_far(name: str) -> None:
    verified, _ = verified_by_the_reader_of_ccf(name)
    assert str(real(name).last_signed) == verified


@pytest.mark.parametrize("name", WHOLE)
def test_the_reader_of_ccf_reads_as_far(name: str) -> None:
    _, last = verified_by_the_reader_of_ccf(name)
    assert str(real(name).last_entry) == last


def test_the_fork_with_the_greater_seqno_is_the_older_view() -> None:
    isolated, majority = real("divergent/n0"), real("divergent/n1")
    assert isolated.last_signed is not None
    assert majority.last_signed is not None
    assert isolated.last_signed.seqno > majority.last_signed.seqno
    assert isolated.last_signed < majority.last_signed


def test_an_empty_directory_holds_nothing(tmp_path: Path) -> None:
    found = survey([tmp_path])
    assert (found.last_signed, found.last_entry, found.committed_end, found.sound) == (None, None, 0, True)


def test_only_files_of_the_ledger_are_looked_at(tmp_path: Path) -> None:
    shutil.copytree(LEDGERS / "damaged/intact/ledger", tmp_path / "ledger")
    (tmp_path / "ledger" / "lost+found").mkdir()
    (tmp_path / "ledger" / "ledger_168-183.committed.ignored").write_bytes(b"x")
    (tmp_path / "ledger" / "notes.txt").write_text("x")
    assert survey([tmp_path / "ledger"]) == real("damaged/intact")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_bit_in_a_committed_file_goes_unnoticed(tmp_path: Path, data: st.DataObject) -> None:
    ledger = tmp_path / "ledger"
    shutil.rmtree(ledger, ignore_errors=True)
    shutil.copytree(LEDGERS / "damaged/intact/ledger", ledger)
    file = data.draw(st.sampled_from(sorted(ledger.glob("*.committed"))))
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(content)
    found = survey([ledger])
    assert not found.sound
    assert found.last_signed is None or found.last_signed < TxID(2, 168)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_tail_cut_anywhere_keeps_the_last_whole_signature(tmp_path: Path, data: st.DataObject) -> None:
    ledger = tmp_path / "ledger"
    shutil.rmtree(ledger, ignore_errors=True)
    shutil.copytree(LEDGERS / "damaged/intact/ledger", ledger)
    tail = ledger / "ledger_168"
    tail.write_bytes(tail.read_bytes()[: data.draw(st.integers(0, tail.stat().st_size - 1))])
    found = survey([ledger])
    assert found.sound
    assert found.last_signed == TxID(2, 167)


def test_zeros_after_a_power_cut_are_a_torn_tail(tmp_path: Path) -> None:
    shutil.copytree(LEDGERS / "damaged/intact/ledger", tmp_path / "ledger")
    with (tmp_path / "ledger" / "ledger_168").open("ab") as tail:
        tail.write(bytes(4096))
    found = survey([tmp_path / "ledger"])
    assert (found.last_signed, found.sound) == (TxID(2, 183), True)
    assert "zeros" in found.problems[0]


def test_a_forged_signature_in_the_tail_is_damage(tmp_path: Path) -> None:
    service = WrittenService(tmp_path / "ledger")
    service.create()
    service.sign()
    honest = service.signer
    other = WrittenService(tmp_path / "other" / "ledger")
    service.signer = honest._replace(node_key=other.signer.node_key)
    service.business(2)
    entry = service.store.prepare_signature(service.view, service.signer)
    service.ledger.append_signature(entry.raw)
    service.close()
    found = survey([tmp_path / "ledger"])
    assert (found.last_signed, found.sound) == (TxID(2, 2), False)
    assert "has not signed this" in found.problems[0]


def test_a_stranger_signs_in_vain(tmp_path: Path) -> None:
    service = WrittenService(tmp_path / "ledger")
    service.create()
    service.sign()
    service.signer = WrittenService(tmp_path / "other" / "ledger").signer
    service.sign()
    service.close()
    found = survey([tmp_path / "ledger"])
    assert (found.last_signed, found.sound) == (TxID(2, 2), False)
    assert "is not of this service" in found.problems[0]


def test_configurations_are_the_trusted_nodes_after_each_change(tmp_path: Path) -> None:
    service = WrittenService(tmp_path / "ledger")
    service.create()
    service.nodes({"b": "Pending"})
    service.nodes({"b": "Trusted", "c": "Trusted"})
    service.sign()
    service.nodes({"b": "Retired"})
    service.nodes({"b": None})
    service.close()
    found = survey([tmp_path / "ledger"])
    alone = frozenset({service.node_id})
    assert [(c.seqno, c.nodes) for c in found.configurations] == [
        (1, alone),
        (3, alone | {"b", "c"}),
        (5, alone | {"c"}),
    ]
    assert found.last_signed == TxID(2, 4)


def test_only_the_last_four_configurations_are_kept(tmp_path: Path) -> None:
    service = WrittenService(tmp_path / "ledger")
    service.create()
    for node in "bcdef":
        service.nodes({node: "Trusted"})
    service.sign()
    service.close()
    assert [c.seqno for c in survey([tmp_path / "ledger"]).configurations] == [3, 4, 5, 6]


def test_a_service_is_opened_once_a_signature_follows_its_open_row(tmp_path: Path) -> None:
    service = WrittenService(tmp_path / "ledger")
    service.create()
    service.sign()
    service.service_status("Open")
    service.ledger.close()
    assert not survey([tmp_path / "ledger"]).opened

    service = WrittenService(tmp_path / "again")
    service.create()
    service.service_status("Open")
    service.sign()
    service.close()
    assert survey([tmp_path / "again"]).opened


@pytest.fixture
def recovered(tmp_path: Path) -> tuple[list[Path], WrittenService]:
    """A ledger of two generations: an open service, and its recovery, begun and signed."""
    ledgers = [tmp_path / "gen-0", tmp_path / "gen-1"]
    first = WrittenService(ledgers[0])
    first.create()
    first.service_status("Open")
    first.sign(end_chunk=True)
    first.business(5)
    first.sign()
    first.business(3)
    first.close()
    ledgers[1].mkdir()
    shutil.copy(ledgers[0] / "ledger_4", ledgers[1] / "ledger_4")
    second = WrittenService(ledgers[1], [ledgers[0]])
    second.store.secrets = first.store.secrets
    second.recover()
    second.sign()
    return ledgers, second


def test_a_recovery_that_was_not_opened(recovered: tuple[list[Path], WrittenService]) -> None:
    ledgers, service = recovered
    service.close()
    found = survey(ledgers)
    assert (found.last_signed, found.sound, found.problems) == (TxID(4, 11), True, ())
    assert (found.recovery_count, found.service_key, found.opened) == (1, service.service_key, False)


def test_an_opened_recovery_whose_marks_were_never_dropped(recovered: tuple[list[Path], WrittenService]) -> None:
    ledgers, service = recovered
    service.service_status("Open")
    service.sign(end_chunk=True)
    service.business(2)
    service.sign(commit=False)
    service.close()
    assert {p.name for p in ledgers[1].iterdir()} == {
        "ledger_4-9.committed",
        "ledger_10-13.committed.recovery",
        "ledger_14.recovery",
    }
    found = survey(ledgers)
    assert (found.last_signed, found.sound, found.problems) == (TxID(4, 16), True, ())
    assert (found.recovery_count, found.opened) == (1, True)


def test_the_older_generation_alone_is_another_ledger(recovered: tuple[list[Path], WrittenService]) -> None:
    ledgers, service = recovered
    service.close()
    assert survey(ledgers[:1]).last_signed == TxID(2, 9)
    assert not survey(ledgers[1:]).sound


def test_a_leftover_below_the_committed_end_is_named_and_left_out(tmp_path: Path) -> None:
    shutil.copytree(LEDGERS / "damaged/intact/ledger", tmp_path / "ledger")
    shutil.copy(LEDGERS / "divergent/n0/ledger/ledger_53", tmp_path / "ledger" / "ledger_53")
    found = survey([tmp_path / "ledger"])
    assert (found.last_signed, found.sound) == (TxID(2, 183), True)
    assert "ledger_53: left over" in found.problems[0]
