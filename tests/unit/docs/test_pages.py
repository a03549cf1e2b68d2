"""Every command of the tutorial and the how-to pages is run by a test, or says why not; no link leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pages import ROOT, Block, Reading, blocks, commands

DOCS = ROOT / "docs"
FOLLOWED = [
    "tutorial.md",
    "recovery.md",
    *(str(page.relative_to(DOCS)) for page in sorted((DOCS / "how-to").glob("*.md"))),
]
WRITTEN = [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "e2e/README.md", ROOT / "e2e/cluster/README.md"]
SHOWN = [block for page in FOLLOWED for block in commands(page)]
SKIPPED = {f"{block} {block.why_not}": block for block in SHOWN if block.why_not}


@pytest.mark.parametrize("block", SHOWN, ids=str)
def test_every_block_of_commands_has_a_test_that_follows_its_page(block: Block) -> None:
    if block.why_not:
        return
    assert block.runner, f"{block} is run by nothing: mark it, as tests/pages.py says"
    assert f'Reading("{block.page}", __file__)' in (ROOT / block.runner).read_text()


@pytest.mark.parametrize("skipped", SKIPPED)
def test_what_is_not_run_says_why(skipped: str) -> None:
    assert len(str(SKIPPED[skipped].why_not).split()) >= 3


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in set(anchors(file)), f"{page.name}: {target}"


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text()
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"README.md"}
    assert {page for page in pages if f"]({page})" not in index} == set()


def anchors(page: Path) -> Iterator[str]:
    """As GitHub makes them of headings."""
    for heading in re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_blocks_and_their_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/page.md").write_text(PAGE)
    found = [(b.line, b.section, b.language, b.text, b.runner, b.why_not) for b in blocks("page.md")]
    assert found == [
        (3, "Title", "", "first\n", None, None),
        (11, "Begin", "sh", "second \\\n  third\n\nfourth\n", "tests/a.py", None),
        (18, "Begin", "text", "shown\n", None, "needs a moon"),
        (22, "Begin", "sh", "fifth\n", None, "needs a moon"),
        (26, "End", "", "sixth\n", "tests/a.py", None),
    ]
    reading = Reading("page.md", str(tmp_path / "tests/a.py"))
    assert [block.line for block in reading.section("Begin")] == [11]
    with pytest.raises(AssertionError, match=r"not run: page\.md:26"):
        reading.finish()
    with pytest.raises(AssertionError, match=r"page\.md:26 comes first"):
        next(reading.section("Begin"))
    assert [block.line for block in reading.section("End")] == [26]
    reading.finish()


PAGE = """\
# Title

```
first
```
## Begin

<!-- run by tests/a.py -->

1. Indented.
   ```sh
   second \\
     third

   fourth
   ```
<!-- not run: needs a moon -->
```text
shown
```

```sh
fifth
```
# End
```
sixth
```
"""
