"""How far a reading of ledgers has come."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Reading:
    """What has been read of files, in bytes. One thread reads and writes it down, another tells it."""

    total: int = 0
    file: str = ""
    _before: int = 0
    _here: int = 0

    def expect(self, size: int) -> None:
        """So many more bytes are to be read."""
        self.total += size

    def enter(self, file: str) -> None:
        """The file of this name is begun."""
        self._before, self._here, self.file = self._before + self._here, 0, file

    def reach(self, offset: int) -> None:
        """The file is read up to this byte."""
        self._here = max(self._here, offset)

    @property
    def done(self) -> int:
        """Bytes that have been read, of all files."""
        return self._before + self._here

    def to_json(self) -> dict[str, object]:
        """As it is told."""
        return {"done": self.done, "total": max(self.total, self.done), "file": self.file}
