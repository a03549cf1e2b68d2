"""The digest of what an image is made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.cluster.build_context import copied_sources, digest

DOCKERFILE = """
# COPY commented-out /
ARG BASE=python:3.13-slim
FROM ${BASE} AS packages
COPY --chown=1000:1000 requirements.lock \\
     settings /build/
COPY ["with space.txt", "/x"]
FROM ${BASE}
COPY --from=packages /opt /opt
add source /opt/source
"""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    for name in ("requirements.lock", "settings", "with space.txt", "source/a/b.py", "other/c.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    return tmp_path


def _digest(context: Path, **arguments: str) -> str:
    return digest(context, context / "Dockerfile", arguments)


def test_sources_are_those_taken_from_the_context() -> None:
    assert copied_sources(DOCKERFILE) == ["requirements.lock", "settings", "with space.txt", "source"]


def test_a_source_with_a_variable_stands_for_the_whole_context() -> None:
    assert copied_sources("FROM x\nCOPY ${WHAT} /\n") == ["."]


@pytest.mark.parametrize(
    "name", ["requirements.lock", "with space.txt", "source/a/b.py", "source/new.py", "Dockerfile"]
)
def test_a_changed_source_changes_the_digest(context: Path, name: str) -> None:
    before = _digest(context)
    with (context / name).open("a") as stream:
        stream.write("\n# changed\n")
    assert _digest(context) != before


def test_a_changed_mode_changes_the_digest(context: Path) -> None:
    before = _digest(context)
    (context / "settings").chmod(0o755)
    assert _digest(context) != before


def test_an_argument_changes_the_digest(context: Path) -> None:
    assert _digest(context, BASE="a") != _digest(context, BASE="b")


@pytest.mark.parametrize("name", ["other/c.py", "source/__pycache__/b.pyc", "source/a/b.pyc"])
def test_what_is_not_built_in_leaves_the_digest(context: Path, name: str) -> None:
    before = _digest(context)
    (context / name).parent.mkdir(exist_ok=True)
    (context / name).write_text("changed")
    assert _digest(context) == before
