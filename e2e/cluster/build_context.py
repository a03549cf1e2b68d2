"""What an image is made from, as one digest: the same digest means there is nothing to build."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

# Never part of what is built, and changing all the time.
_NOISE = {".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}


def copied_sources(dockerfile: str) -> list[str]:
    """Paths and patterns, relative to the context, that COPY and ADD take from it; `.` if that cannot be told."""
    found: list[str] = []
    for instruction in _instructions(dockerfile):
        keyword, _, rest = instruction.partition(" ")
        if keyword.upper() not in ("COPY", "ADD"):
            continue
        rest = rest.strip()
        flags = []
        while rest.startswith("--"):
            flag, _, rest = rest.partition(" ")
            flags.append(flag)
            rest = rest.strip()
        if any(flag.startswith("--from=") for flag in flags):
            continue
        words = json.loads(rest) if rest.startswith("[") else shlex.split(rest)
        found += words[:-1]
    return ["."] if any("$" in source for source in found) else found


def _instructions(dockerfile: str) -> Iterable[str]:
    kept = "\n".join(line for line in dockerfile.splitlines() if not line.lstrip().startswith("#"))
    return (line.strip() for line in re.sub(r"\\\s*\n", " ", kept).splitlines() if line.strip())


def digest(context: Path, dockerfile: Path, arguments: Mapping[str, str]) -> str:
    """A digest of the Dockerfile, its arguments and every file it copies from the context."""
    text = dockerfile.read_text()
    whole = hashlib.sha256(json.dumps([text, sorted(arguments.items())]).encode())
    for source in copied_sources(text):
        for file in _files(context, source):
            mode = file.stat().st_mode & 0o777
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            whole.update(f"{file.relative_to(context)}\0{mode:o}\0{content}\n".encode())
    return whole.hexdigest()[:20]


def _files(context: Path, source: str) -> list[Path]:
    relative = source.lstrip("/")
    roots = [context] if relative in (".", "./", "") else sorted(context.glob(relative.rstrip("/")))
    found: list[Path] = []
    for root in roots:
        if root.is_file():
            found.append(root)
        for directory, children, names in os.walk(root):
            children[:] = sorted(set(children) - _NOISE)
            files = (Path(directory) / name for name in sorted(names) if not name.endswith(".pyc"))
            found += [file for file in files if file.is_file()]
    return found
