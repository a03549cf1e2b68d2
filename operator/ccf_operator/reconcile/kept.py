"""Whether the API server keeps a status as it was written.

One that has begun to drop fields gives them back to nobody, and whoever then writes the object, be it a label, makes
the loss last. A status that has only lost something is no ground for any decision: what is missing would be taken for
what never was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ccf_operator.api.served import not_kept

Status = dict[str, Any]

MEANT_AFTER = 5.0
"""Seconds after which a status that has lost something, while nothing is known to be amiss with its definition, passes
for one that somebody has written so: the API server publishes a changed definition a little later than it heeds it."""
_NAMED = 5
"""How many fields that are missing are named."""


class NotKept(Exception):
    """A status did not come back as it was written, or has lost something since it was last seen."""

    def __init__(self, places: Iterable[str]) -> None:
        named = sorted(places)
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        super().__init__(
            f"the API server does not keep the status as it is written: {', '.join(named[:_NAMED])}{more}. "
            "Nothing is done for this network until it does"
        )


@dataclass
class Kept:
    """The status of one network as it was last known to be whole: as the API server gives it, for what is read into
    models looks the same whether it is empty or missing. Nothing is remembered from one life to the next."""

    clock: Callable[[], float] = time.monotonic
    _known: tuple[str, Status] | None = None
    _lost: Status | None = field(default=None)
    _less_since: float | None = None

    def read(self, version: str, status: Status) -> None:
        """A status was read at this resourceVersion. Raises NotKept if it may have lost something since."""
        if self._known is not None and self._known[1] != status:
            known = self._known[1]
            if self._known[0] == version or (lacks_only(status, known) and not self._is_meant()):
                self._lost = known
                raise NotKept(not_kept(known, status, ".status"))
        self._known, self._less_since = (version, status), None

    def written(self, version: str, wrote: Status, kept: Status) -> None:
        """A status was written, and this came back. Raises NotKept if they differ."""
        if kept != wrote:
            self._lost = wrote
            raise NotKept(not_kept(wrote, kept, ".status"))
        self._known, self._lost, self._less_since = (version, wrote), None, None

    def withheld(self) -> None:
        """Nothing may be done for now, since the definition is not whole."""
        if self._lost is None and self._known is not None:
            self._lost = self._known[1]

    def to_restore(self, found: Status) -> Status | None:
        """What to write back now that the definition is whole, if nobody has written anything else since."""
        if self._lost is not None and (found == self._lost or not lacks_only(found, self._lost)):
            self._lost = None
        return self._lost

    def _is_meant(self) -> bool:
        if self._less_since is None:
            self._less_since = self.clock()
        return self.clock() - self._less_since >= MEANT_AFTER


def lacks_only(less: Any, whole: Any) -> bool:
    """Whether a JSON value is another with nothing but fields of objects taken away."""
    if isinstance(less, dict) and isinstance(whole, dict):
        return all(name in whole and lacks_only(value, whole[name]) for name, value in less.items())
    if isinstance(less, list) and isinstance(whole, list):
        return len(less) == len(whole) and all(map(lacks_only, less, whole))
    return bool(less == whole)
