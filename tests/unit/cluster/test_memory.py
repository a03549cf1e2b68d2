"""What etcd holds, kept under a name and put back."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.cluster import memory
from e2e.cluster.say import ClusterError


@pytest.fixture
def etcd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CCF_OPERATOR_STATE", str(tmp_path))
    (tmp_path / "etcd" / "member").mkdir(parents=True)
    return tmp_path / "etcd" / "member"


def test_what_is_put_back_is_what_was_kept_and_nothing_of_later(etcd: Path) -> None:
    (etcd / "db").write_text("before")
    memory.keep("a")
    (etcd / "db").write_text("after")
    (etcd / "wal").write_text("after")
    memory.put_back("a")
    assert {file.name: file.read_text() for file in etcd.iterdir()} == {"db": "before"}
    (etcd / "db").write_text("after")
    memory.put_back("a")
    assert (etcd / "db").read_text() == "before", "what is kept stays kept"


def test_keeping_again_replaces_what_was_kept(etcd: Path) -> None:
    (etcd / "db").write_text("one")
    memory.keep("a")
    (etcd / "db").write_text("two")
    memory.keep("a")
    memory.put_back("a")
    assert (etcd / "db").read_text() == "two"


@pytest.mark.parametrize("name", ["", "..", "../etcd", "a/b", "-"])
def test_a_name_is_a_word(etcd: Path, name: str) -> None:
    with pytest.raises(ClusterError, match="no name"):
        memory.keep(name)


def test_what_was_never_kept_is_an_error_and_changes_nothing(etcd: Path) -> None:
    (etcd / "db").write_text("now")
    with pytest.raises(ClusterError, match="nothing is kept as b"):
        memory.put_back("b")
    assert (etcd / "db").read_text() == "now"
