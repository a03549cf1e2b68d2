"""What the API server shows, as it shows it: watches of pods and of the network, with the times of their arrival."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, TypeVar

from e2e.harness.kubectl import Kubectl, Object
from e2e.harness.waiting import NeverHappened

T = TypeVar("T")

KINDS = ("pods", "ccfnetworks")
_PIECE = 65536


@dataclass(frozen=True)
class Seen:
    """One event of a watch."""

    at: float
    """When it arrived, in seconds of `time.monotonic`."""
    kind: str
    gone: bool
    object: Object

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])


@dataclass
class Recorder:
    """Watches one namespace while the context is open; who waits is woken by each event."""

    kubectl: Kubectl
    events: list[Seen] = field(default_factory=list)
    """All that has been seen, in the order of its arrival; only ever grows."""
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Recorder:
        for kind in KINDS:
            process = subprocess.Popen(
                [
                    *(self.kubectl.program, "--namespace", self.kubectl.namespace),
                    *("get", kind, "--watch", "--output-watch-events", "--output", "json"),
                ],
                stdout=subprocess.PIPE,
                env=self.kubectl.environment(),
            )
            assert process.stdout is not None
            thread = threading.Thread(target=self._read, args=(kind, process.stdout), daemon=True)
            self._processes.append(process)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
            process.wait()
        for thread in self._threads:
            thread.join()

    def wait_for(self, what: str, find: Callable[[list[Seen]], T | None], *, within: float) -> T:
        """What `find` makes of the events, as soon as it makes something of them. Raises NeverHappened."""
        deadline = time.monotonic() + within
        with self._changed:
            while (found := find(self.events)) is None:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise NeverHappened(f"{what}: not within {within:g} s")
                self._changed.wait(left)
            return found

    def _read(self, kind: str, stream: IO[bytes]) -> None:
        for event in documents(lambda: stream.read1(_PIECE).decode()):  # type: ignore[attr-defined]
            seen = Seen(time.monotonic(), kind, event["type"] == "DELETED", event["object"])
            with self._changed:
                self.events.append(seen)
                self._changed.notify_all()


def documents(read: Callable[[], str]) -> Iterator[Any]:
    """The JSON documents that follow each other in a text that comes in pieces; it ends with an empty piece."""
    decoder, text = json.JSONDecoder(), ""
    while piece := read():
        text = (text + piece).lstrip()
        while text:
            try:
                document, end = decoder.raw_decode(text)
            except ValueError:
                break  # the rest is on its way
            yield document
            text = text[end:].lstrip()
