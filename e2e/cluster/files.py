"""Writing configuration files."""

from __future__ import annotations

from pathlib import Path


def put(path: Path, text: str) -> Path:
    """The path, its content being `text`; untouched if it is so already: some programs end when theirs is written."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return path
