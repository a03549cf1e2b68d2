"""Names of the files in a ledger directory, and which of them make up a ledger (CCF facts §4.1).

`ledger_<a>-<b>.committed` is complete and immutable; `ledger_<a>` is open or complete but not committed;
`.recovery` marks what was written while a recovery was unfinished; `.ignored` is set aside.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"ledger_(?P<first>\d+)(?:-(?P<last>\d+))?(?P<committed>\.committed)?(?P<recovery>\.recovery)?")
RECOVERY_SUFFIX = ".recovery"


@dataclass(frozen=True)
class LedgerFile:
    """A file of a ledger that is not set aside. `last` is None where the name does not tell."""

    path: Path
    first: int
    last: int | None
    committed: bool
    recovery: bool

    @property
    def settled_name(self) -> str:
        """The name without the mark of an unfinished recovery."""
        return self.path.name.removesuffix(RECOVERY_SUFFIX)


def ledger_file(path: Path) -> LedgerFile | None:
    """What the name says; None for anything that is not a file of a ledger, or is set aside."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    first, last = int(match["first"]), int(match["last"]) if match["last"] else None
    if last is not None and last < first:
        return None
    return LedgerFile(path, first, last, bool(match["committed"]), bool(match["recovery"]))


@dataclass(frozen=True)
class Lineage:
    """The files of the generations that together hold one ledger.

    `committed`: every committed file; `tail`: what only the newest generation's node had and must be copied for a
    recovery, in ledger order (CCF facts §4.4); `set_aside`: why files of the newest generation are not part of it.
    """

    committed: tuple[LedgerFile, ...]
    tail: tuple[LedgerFile, ...]
    set_aside: tuple[str, ...] = ()

    @property
    def committed_end(self) -> int:
        """The last seqno that a committed file's name claims; 0 if there is none."""
        return max((f.last for f in self.committed if f.last is not None), default=0)

    @property
    def empty(self) -> bool:
        """Whether there is no file of a ledger at all."""
        return not self.committed and not self.tail


def read_lineage(ledgers: Sequence[Path]) -> Lineage:
    """The lineage in these ledger directories, oldest generation first. Raises OSError.

    Of older generations only `*.committed` counts: their uncommitted files were copied when they became ancestors.
    """
    generations = [_ledger_files(directory) for directory in ledgers]
    committed = [f for files in generations for f in files if f.committed and not f.recovery]
    newest = [f for f in (generations[-1] if generations else []) if f not in committed]
    end = max((f.last for f in committed if f.last is not None), default=0)
    tail: dict[str, LedgerFile] = {}
    set_aside: list[str] = []
    for file in sorted(newest, key=lambda f: (f.first, f.recovery)):
        if file.first <= end:
            # CCF would take such a leftover for the end of the ledger and lose what follows it (CCF facts §4.3).
            set_aside.append(f"{file.path.name}: left over, committed files reach to {end}")
        elif file.settled_name in tail:
            set_aside.append(f"{file.path.name}: there is a {file.settled_name} too")
        else:
            tail[file.settled_name] = file
    return Lineage(tuple(committed), tuple(tail.values()), tuple(set_aside))


def _ledger_files(directory: Path) -> list[LedgerFile]:
    files = (ledger_file(path) for path in directory.iterdir() if path.is_file() and not path.is_symlink())
    return sorted((f for f in files if f is not None), key=lambda f: (f.first, f.path.name))
