from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster.lifecycle import remove_directory


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A directory that cannot be removed: something is mounted on it."""
    path = tmp_path / "state" / "held"
    path.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", str(path)], check=True)
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=False)


def test_a_removal_that_stops_in_the_middle_leaves_what_says_whose_the_directory_is(held: Path) -> None:
    state = held.parent
    for name in ("a", "marker", "z"):
        (state / name).write_text(name)
    (state / "directory").mkdir()
    (state / "link").symlink_to(state / "directory")

    with pytest.raises(OSError, match="busy"):
        remove_directory(state, last="marker")
    assert (state / "marker").exists()

    subprocess.run(["umount", str(held)], check=True)
    remove_directory(state, last="marker")
    assert not state.exists()
