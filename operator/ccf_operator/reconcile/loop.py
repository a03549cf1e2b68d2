"""The loop of one network: observe, decide, write the status, act, again until nothing changes, then sleep.

Nothing ends it but the end of its network: an exception that did would leave a network unattended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import structlog

from ccf_operator import logs
from ccf_operator.domain.effects import Effect
from ccf_operator.domain.observation import Observation
from ccf_operator.domain.plan import Plan
from ccf_operator.kube.errors import Conflict, KubeError, NotFound
from ccf_operator.kube.gateway import Gateway, Outcome, Raw
from ccf_operator.reconcile.act import Actor, Failure
from ccf_operator.reconcile.observe import Observer
from ccf_operator.reconcile.parse import Unreadable, is_deleting, to_wire
from ccf_operator.render import labels

FIRST_BACKOFF = 0.25
LONGEST_BACKOFF = 10.0
"""Seconds to wait after a look that failed; doubled each time."""
LOOKS_AT_ONCE = 20
"""Looks without a pause, after which one is made all the same: a plan that never settles must not busy the API."""
PAUSE = 1.0
UNREADABLE_SECONDS = 30.0
_SWAPS = 20
"""Tries to write a status while others write what does not matter to it."""

_log = logs.get(__name__)

Decide = Callable[[Observation], Plan]


class Step(Enum):
    """What a look came to."""

    GONE = auto()
    """The network object is not there any more, or is another of its name."""
    AGAIN = auto()
    """Something has changed: look again at once."""
    SETTLED = auto()
    """There was nothing to do that had not been done."""


@dataclass
class NetworkLoop:
    """Looks after one network object."""

    gateway: Gateway
    observer: Observer
    actor: Actor
    decide: Decide
    namespace: str
    name: str
    uid: str
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by whoever has seen something happen."""
    _last: tuple[dict[str, Any], tuple[Effect, ...]] | None = None
    _wake_after: float = PAUSE

    async def run(self) -> None:
        """Until the network object is gone. Only cancellation ends it earlier."""
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(namespace=self.namespace, network=self.name, attempt=None, node=None)
        _log.info("watching over the network")
        backoff, looks = FIRST_BACKOFF, 0
        while True:
            self.wake.clear()
            try:
                step = await self.look()
            except Unreadable as error:
                _log.error("nothing is done for this network until it can be read", error=str(error))
                await self._sleep(UNREADABLE_SECONDS)
                continue
            except KubeError as error:
                _log.warning("the look failed", error=str(error), status=error.status)
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, LONGEST_BACKOFF)
                continue
            except Exception:
                _log.exception("the look failed")
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, LONGEST_BACKOFF)
                continue
            backoff = FIRST_BACKOFF
            if step is Step.GONE:
                _log.info("the network is gone")
                return
            if step is Step.AGAIN and looks < LOOKS_AT_ONCE:
                looks += 1
                continue
            looks = 0
            await self._sleep(PAUSE if step is Step.AGAIN else self._wake_after)

    async def look(self) -> Step:
        """One look, and everything it led to. Raises KubeError and Unreadable."""
        raw = await self.gateway.get_network(self.namespace, self.name)
        if raw is None or raw["metadata"]["uid"] != self.uid:
            return Step.GONE
        finalizers = raw["metadata"].get("finalizers") or []
        if labels.NETWORK_FINALIZER not in finalizers:
            if is_deleting(raw):
                return Step.GONE  # ours is off: nothing is left for us to do
            if await self.gateway.add_network_finalizer(self.namespace, self.name, self.uid) is not Outcome.DONE:
                return Step.GONE
            return Step.AGAIN
        try:
            observation = await self.observer.look(raw, await self.actor.names_taken(), self.actor.published)
        except Unreadable as error:
            await self._publish(raw, f"{error.part.capitalize()}Unreadable", str(error))
            raise
        before = to_wire(observation.status)
        attempt = observation.status.attempt
        structlog.contextvars.bind_contextvars(attempt=attempt.number if attempt else None)
        plan = self.decide(observation)
        after = to_wire(plan.status)
        if after != before:
            try:
                raw = await self._write(raw, after)
            except (Conflict, NotFound):
                return Step.AGAIN  # someone else wrote: nothing that was decided may be done
            _tell(before, after)
        failures = await self.actor.act(plan.effects, raw, observation, plan.status)
        await self._report(failures, raw)
        settled = (after, plan.effects) == self._last and after == before
        self._last = (after, plan.effects)
        self._wake_after = plan.wake_after
        return Step.SETTLED if settled or not (plan.effects or after != before) else Step.AGAIN

    async def _write(self, raw: Raw, status: dict[str, Any]) -> Raw:
        """The swap. It is lost if anything has changed of what was decided on; annotations are no such thing.

        Whoever keeps writing annotations would else keep every status from being written. Raises Conflict, NotFound.
        """
        for _ in range(_SWAPS):
            try:
                return await self.gateway.replace_status(
                    self.namespace, self.name, raw["metadata"]["resourceVersion"], status, self.uid
                )
            except Conflict:
                now = await self.gateway.get_network(self.namespace, self.name)
                if now is None or _decided_on(now) != _decided_on(raw):
                    raise
                raw = now
        raise Conflict("somebody else always wrote first")

    async def _report(self, failures: list[Failure], raw: Raw) -> None:
        """Tell people what could not be done and will not mend by itself."""
        for failure in failures:
            if not failure.passing:
                await self._publish(raw, "EffectFailed", f"{type(failure.effect).__name__}: {failure.why}")

    async def _publish(self, raw: Raw, reason: str, note: str) -> None:
        """A warning, once for each text while the API server remembers it."""
        with contextlib.suppress(KubeError):
            await self.gateway.publish_event(raw, reason=reason, note=note, warning=True, key="loop")

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.wake.wait()


def _decided_on(raw: Raw) -> tuple[Any, ...]:
    """All of a network object that a decision rests on."""
    metadata = raw["metadata"]
    return (
        metadata["uid"],
        metadata.get("generation"),
        metadata.get("deletionTimestamp"),
        sorted(metadata.get("finalizers") or ()),
        raw.get("spec"),
        raw.get("status"),
    )


def _tell(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Log what a person would want to know of a change of status."""
    old = (before.get("phase"), before.get("reason"), (before.get("attempt") or {}).get("phase"))
    new = (after.get("phase"), after.get("reason"), (after.get("attempt") or {}).get("phase"))
    if old != new:
        attempt = after.get("attempt") or {}
        structlog.contextvars.bind_contextvars(attempt=attempt.get("number"))
        _log.info(
            "status",
            phase=after.get("phase"),
            reason=after.get("reason"),
            message=after.get("message"),
            step=attempt.get("phase"),
            verdict=(after.get("quorum") or {}).get("verdict"),
        )


__all__ = ["NetworkLoop", "Step"]
