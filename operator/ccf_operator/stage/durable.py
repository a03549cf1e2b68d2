"""Writing so that it is there after a power cut: files and the directories that name them are synced.

Everything is made for the owner alone, and nothing that exists is ever opened for writing.
"""

from __future__ import annotations

import os
from pathlib import Path

_PIECE = 1 << 20


def make_directory(path: Path) -> None:
    """Make a directory and its name in its parent durable. Raises FileExistsError, OSError."""
    path.mkdir(mode=0o700)
    sync_directory(path)
    sync_directory(path.parent)


def create_file(path: Path, content: bytes) -> None:
    """Create a file that must not exist. Raises FileExistsError, OSError."""
    descriptor = _create(path)
    try:
        _write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(path.parent)


def copy_file(source: Path, target: Path) -> None:
    """Copy to a file that must not exist; the caller syncs its directory. Raises FileExistsError, OSError."""
    descriptor = _create(target)
    try:
        with source.open("rb") as reading:
            while piece := reading.read(_PIECE):
                _write(descriptor, piece)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
