"""Whether the API server serves our kinds, with every field that the operator writes.

An API server that serves an older definition, or one that somebody has cut down, drops fields without a word. It is
asked at the start, now and then, and whenever something gives reason to doubt; until both kinds are there whole the
operator is not ready, and where it is the networks' own that is not, nothing is done for them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ccf_operator import logs
from ccf_operator.api import crd
from ccf_operator.api.served import lacking
from ccf_operator.kube.errors import KubeError, Unavailable
from ccf_operator.kube.gateway import Gateway
from ccf_operator.render import labels

WELL_SECONDS = 60.0
"""How often the API server is asked while nothing is amiss."""
SOON_SECONDS, LATER_SECONDS = 0.5, 5.0
"""How often it is asked while something is: soon, then with growing pauses."""
_NAMED = 5
"""How many fields that are missing are named."""

_log = logs.get(__name__)


@dataclass(frozen=True)
class Definition:
    """What is known of one kind: whether it is served, and what its schema lacks."""

    kind: str
    plural: str
    served: bool
    lacks: tuple[str, ...] = ()

    @property
    def problem(self) -> str | None:
        """What is amiss, in a sentence."""
        name = f"CustomResourceDefinition {self.plural}.{labels.GROUP}"
        if not self.served:
            return f"{self.kind} is not served in {labels.API_VERSION}: {name} is missing, or not established yet"
        if self.lacks:
            more = f" and {len(self.lacks) - _NAMED} more" if len(self.lacks) > _NAMED else ""
            return f"{name} is not of this version: it lacks {', '.join(self.lacks[:_NAMED])}{more}"
        return None


@dataclass
class Definitions:
    """The kinds of ours, as the API server serves them."""

    gateway: Gateway
    listeners: set[Callable[[], None]] = field(default_factory=set)
    """Called when what is known has changed."""
    found: tuple[Definition, ...] | None = None
    """None until the API server has been asked."""
    _doubt: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is amiss with any of our kinds."""
        if self.found is None:
            return ("the API server has not said yet which kinds it serves",)
        return tuple(one.problem for one in self.found if one.problem is not None)

    @property
    def blocking(self) -> str | None:
        """Why nothing may be done for networks: their own definition is not served, or not whole."""
        if self.found is None:
            return self.problems[0]
        return next((one.problem for one in self.found if one.kind == labels.KIND), None)

    @property
    def served(self) -> frozenset[str]:
        """The kinds of ours that are served."""
        return frozenset(one.kind for one in self.found or () if one.served)

    def doubt(self) -> None:
        """Ask again soon: something did not behave as a definition that is whole."""
        self._doubt.set()

    async def run(self) -> None:
        """Ask for ever."""
        pause = SOON_SECONDS
        while True:
            self._doubt.clear()
            try:
                await self.check()
            except KubeError as error:
                _log.warning("it could not be found out which kinds are served", error=str(error))
            except Exception:
                _log.exception("it could not be found out which kinds are served")
            pause = min(2 * pause, LATER_SECONDS) if self.problems else SOON_SECONDS
            if self.problems:
                await asyncio.sleep(pause)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WELL_SECONDS):
                    await self._doubt.wait()

    async def check(self) -> None:
        """Ask now. Raises KubeError where the API server cannot be asked; what was known before then stays known."""
        found = await self._ask()
        if found == self.found:
            return
        self.found = found
        for problem in self.problems:
            _log.error("a definition is not as it must be", problem=problem)
        if not self.problems:
            _log.info("our kinds are served with every field")
        for listener in tuple(self.listeners):
            listener()

    async def _ask(self) -> tuple[Definition, ...]:
        resources = await self.gateway.served_resources()
        schemas = await self._schemas() if resources else {}
        return tuple(
            Definition(
                kind,
                plural,
                served={plural, f"{plural}/status"} <= resources,
                lacks=_lacks(made, schemas[kind]) if kind in schemas else (),
            )
            for kind, plural, made in (
                (labels.KIND, labels.PLURAL, crd.definition()),
                (labels.DECISION_KIND, labels.DECISION_PLURAL, crd.decision_definition()),
            )
        )

    async def _schemas(self) -> dict[str, Any]:
        """The schemas by kind; none where they may not be read: a status that is not kept is found out all the same."""
        try:
            return await self.gateway.served_schemas()
        except Unavailable:
            raise
        except KubeError as error:
            _log.warning("the schemas of our kinds cannot be read", error=str(error))
            return {}


def _lacks(made: dict[str, Any], served: dict[str, Any]) -> tuple[str, ...]:
    """What the operator writes, and the served schema has no place for: all of the status."""
    [version] = made["spec"]["versions"]
    wanted = version["schema"]["openAPIV3Schema"]["properties"]["status"]
    found = (served.get("properties") or {}).get("status")
    if found is None:
        return () if served.get("x-kubernetes-preserve-unknown-fields") else (".status",)
    return tuple(lacking(wanted, found, ".status"))
