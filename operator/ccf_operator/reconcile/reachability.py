"""How far the operator reaches, over all networks: shared by the observers, for a network alone cannot tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from ccf_operator import logs
from ccf_operator.domain.isolation import is_isolated
from ccf_operator.domain.observation import OperatorView

REMEMBERED = timedelta(seconds=60)
"""How long what was seen of a network counts that is not looked at any more."""

_log = logs.get(__name__)


@dataclass(frozen=True)
class _Seen:
    pods: int
    reached: int
    at: datetime


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Reachability:
    """Counts pods that run and pods that answered. `operator` says who counts."""

    operator: OperatorView = field(default_factory=OperatorView)
    clock: Callable[[], datetime] = _now
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _unreached_since: datetime | None = None
    _told: bool = False

    def note(self, network: str, *, pods: int, reached: int) -> OperatorView:
        """Note how many ready pods of a network (by its UID) were asked on a look, and how many of all answered.

        How it stands over all networks.
        """
        now = self.clock()
        self._seen[network] = _Seen(pods, reached, now)
        self._seen = {uid: seen for uid, seen in self._seen.items() if now - seen.at <= REMEMBERED}
        asked = sum(seen.pods for seen in self._seen.values())
        if not asked or any(seen.reached for seen in self._seen.values()):
            self._unreached_since = None
        else:
            self._unreached_since = self._unreached_since or now
        view = replace(
            self.operator,
            pods=asked,
            networks=sum(seen.pods > 0 for seen in self._seen.values()),
            unreached_since=self._unreached_since,
        )
        self._tell(view, now)
        return view

    def _tell(self, view: OperatorView, now: datetime) -> None:
        isolated = is_isolated(view, now)
        if isolated and not self._told:
            _log.warning("none of the nodes is reached", pods=view.pods, networks=view.networks, machine=view.machine)
        elif self._told and not isolated:
            _log.info("nodes are reached again")
        self._told = isolated
