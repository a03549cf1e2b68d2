"""Damage done to files of a volume."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.cluster.say import ClusterError
from e2e.cluster.volumes import flip_byte, select, truncate, wipe


@pytest.fixture
def chunk(tmp_path: Path) -> Path:
    file = tmp_path / "gen-0" / "ledger" / "ledger_1"
    file.parent.mkdir(parents=True)
    file.write_bytes(bytes(range(10)))
    return file


@pytest.mark.parametrize(("offset", "position"), [(0, 0), (9, 9), (-1, 9), (-10, 0)])
def test_flipping_inverts_exactly_one_byte(chunk: Path, offset: int, position: int) -> None:
    flip_byte(chunk, offset)
    content = chunk.read_bytes()
    assert [at for at in range(10) if content[at] != at] == [position]
    assert content[position] == 255 - position


@pytest.mark.parametrize("offset", [10, -11])
def test_flipping_outside_the_file_is_refused(chunk: Path, offset: int) -> None:
    with pytest.raises(ClusterError, match="has 10 bytes"):
        flip_byte(chunk, offset)


@pytest.mark.parametrize(("size", "left"), [(4, 4), (-3, 7), (0, 0)])
def test_truncating_keeps_the_beginning(chunk: Path, size: int, left: int) -> None:
    truncate(chunk, size)
    assert chunk.read_bytes() == bytes(range(left))


@pytest.mark.parametrize("size", [11, -11])
def test_truncating_never_makes_a_file_longer(chunk: Path, size: int) -> None:
    with pytest.raises(ClusterError, match="only 10 bytes"):
        truncate(chunk, size)


def test_selecting_finds_files_below_the_volume(tmp_path: Path, chunk: Path) -> None:
    assert select(tmp_path, "gen-*/ledger/ledger_*") == [chunk]


def test_selecting_nothing_is_an_error(tmp_path: Path, chunk: Path) -> None:
    with pytest.raises(ClusterError, match="no file"):
        select(tmp_path, "gen-1/*")


def test_wiping_leaves_the_volume_itself(tmp_path: Path, chunk: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    wipe(tmp_path)
    assert list(tmp_path.iterdir()) == []
