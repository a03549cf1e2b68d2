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
from ccf_operator.domain.pace import STEADY
from ccf_operator.domain.plan import Plan
from ccf_operator.kube import turns
from ccf_operator.kube.errors import Conflict, KubeError, NotFound, NotServed
from ccf_operator.kube.gateway import Gateway, Outcome, Raw
from ccf_operator.reconcile.act import Actor, Failure
from ccf_operator.reconcile.awaited import Awaited
from ccf_operator.reconcile.inputs import needed_config_maps
from ccf_operator.reconcile.kept import Kept, NotKept
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
LONGEST_WAIT = 30.0
"""Seconds between two looks that only show that what is written is not kept; the first wait is short."""
TOLD_AFTER = 3
"""Looks that fail one after the other before an event says so: what passes by itself is not worth one."""
_SWAPS = 20
"""Tries to write a status while others write what does not matter to it."""

_log = logs.get(__name__)

Decide = Callable[[Observation], Plan]


class Withheld(Exception):
    """Nothing may be done for any network now; it says why."""


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
    withheld: Callable[[], str | None] = lambda: None
    """Why nothing may be done for any network now, if it may not."""
    doubt: Callable[[], None] = lambda: None
    """Called when the API server does not behave as one that serves our kinds whole."""
    unhurried: bool = True
    """Whether the network only waits, as far as is known, so that others go first."""
    awaited: Awaited | None = None
    """Where the ConfigMaps are named that the network waits for."""
    _told: set[str] = field(default_factory=set)
    _kept: Kept = field(default_factory=Kept)
    _last: tuple[dict[str, Any], tuple[Effect, ...]] | None = None
    _wake_after: float = PAUSE

    async def run(self) -> None:
        """Until the network object is gone. Only cancellation ends it earlier."""
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(namespace=self.namespace, network=self.name, attempt=None, node=None)
        _log.info("watching over the network")
        backoff, looks, failed = FIRST_BACKOFF, 0, 0
        while True:
            self.wake.clear()
            turns.unhurried.set(self.unhurried)
            try:
                step = await self.look()
            except Withheld as error:
                _log.warning("nothing is done for this network", why=str(error))
                await self._tell_once("DefinitionOutdated", str(error))
                await self._sleep(LONGEST_WAIT)
                continue
            except NotKept as error:
                _log.error("the status is not kept", error=str(error))
                self.doubt()
                await self._tell_once("StatusNotKept", str(error))
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, LONGEST_WAIT)
                continue
            except Unreadable as error:
                _log.error("nothing is done for this network until it can be read", error=str(error))
                self.doubt()
                await self._sleep(UNREADABLE_SECONDS)
                continue
            except Exception as error:
                failed += 1
                await self._failed(error, failed)
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, LONGEST_BACKOFF)
                continue
            backoff, failed = FIRST_BACKOFF, 0
            self._told.clear()
            if step is Step.GONE:
                _log.info("the network is gone")
                if self.awaited is not None:
                    self.awaited.forget(self.uid)
                return
            if step is Step.AGAIN and looks < LOOKS_AT_ONCE:
                looks += 1
                continue
            looks = 0
            await self._sleep(PAUSE if step is Step.AGAIN else self._wake_after)

    async def look(self) -> Step:
        """One look, and everything it led to. Raises KubeError, Unreadable, Withheld and NotKept."""
        if (why := self.withheld()) is not None:
            self._kept.withheld()
            raise Withheld(why)
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
        raw = await self._restored(raw)
        self._kept.read(str(raw["metadata"]["resourceVersion"]), raw.get("status") or {})
        try:
            observation = await self.observer.look(
                raw, await self.actor.names_taken(), self.actor.published, self.actor.refusals
            )
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
            self._verify_kept(raw, after)
            _tell(before, after)
        failures = await self.actor.act(plan.effects, raw, observation, plan.status)
        await self._report(failures, raw)
        settled = (after, plan.effects) == self._last and after == before
        self._last = (after, plan.effects)
        self._wake_after = min(plan.wake_after, self.actor.next_try())
        self._wait_for(observation)
        return Step.SETTLED if settled or not (plan.effects or after != before) else Step.AGAIN

    def _wait_for(self, observation: Observation) -> None:
        """Let others go first while there is nothing to do before a person has done something."""
        unmade = observation.status.service.public_key is None
        self.unhurried = self._wake_after > STEADY or (unmade and bool(observation.inputs.problems))
        if self.awaited is not None:
            needed = needed_config_maps(observation.spec) if observation.inputs.problems else frozenset[str]()
            self.awaited.expect(self.uid, self.namespace, needed, self.wake.set)

    async def _restored(self, raw: Raw) -> Raw:
        """The network with what its status has lost, if it has, written back. Raises KubeError and NotKept."""
        lost = self._kept.to_restore(raw.get("status") or {})
        if lost is None:
            return raw
        written = await self.gateway.replace_status(
            self.namespace, self.name, raw["metadata"]["resourceVersion"], lost, self.uid
        )
        self._verify_kept(written, lost)
        _log.warning("what the status had lost is written back")
        return written

    def _verify_kept(self, raw: Raw, wrote: dict[str, Any]) -> None:
        """See that the status came back as it was written: one that was not kept licenses nothing. Raises NotKept."""
        self._kept.written(str(raw["metadata"]["resourceVersion"]), wrote, raw.get("status") or {})

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

    async def _failed(self, error: Exception, times: int) -> None:
        """A look that failed: a line each time, and an event once for each text if it goes on."""
        if isinstance(error, NotServed):
            self.doubt()
        if isinstance(error, KubeError):
            _log.warning("the look failed", error=str(error), status=error.status)
        else:
            _log.error("the look failed", exc_info=error)
        if times >= TOLD_AFTER:
            what = str(error) if isinstance(error, KubeError) else f"{type(error).__name__}: {error}"
            await self._tell_once("LookFailed", f"nothing is done for this network while this lasts: {what}")

    async def _tell_once(self, reason: str, note: str) -> None:
        """A warning about the network, once until a look succeeds again, whatever words come with it later."""
        metadata = {"name": self.name, "namespace": self.namespace, "uid": self.uid}
        if reason not in self._told and await self._publish({"metadata": metadata}, reason, note):
            self._told.add(reason)

    async def _publish(self, raw: Raw, reason: str, note: str) -> bool:
        """A warning, once for each text while the API server remembers it; whether the API server has it."""
        try:
            await self.gateway.publish_event(raw, reason=reason, note=note, warning=True, key="loop")
        except KubeError:
            return False
        return True

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
