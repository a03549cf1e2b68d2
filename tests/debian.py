"""Programs of Debian that a test needs, installed where they are not and can be."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest


def installed(program: str, *packages: str) -> str:
    """The path of a program; `packages` are those it comes with, or needs. Skips the test where they are not there
    and cannot be had."""
    if not _are_there(packages):
        _install(packages)
    found = shutil.which(program)
    assert found is not None, f"{program} is not in {packages}"
    return found


def _are_there(packages: tuple[str, ...]) -> bool:
    if shutil.which("dpkg-query") is None:
        return False
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status} ", *packages], capture_output=True, text=True
    )
    return asked.returncode == 0 and set(asked.stdout.split()) == {"installed"}


def _install(packages: tuple[str, ...]) -> None:
    named = " ".join(packages)
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        pytest.skip(f"needs {named} (Debian: apt-get install {named})")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", *command], env=quiet, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"needs {named}, which cannot be installed: {done.stderr.strip()}")
