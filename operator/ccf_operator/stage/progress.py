"""Telling how far a reading of ledgers has come: the operator waits for it as long as it comes further.

One JSON object over plain HTTP, to every request alike: `{"done": bytes, "total": bytes, "file": "ledger_1-9"}`. It can
be seen by whoever reaches the pod, and nothing can be changed by it. Where it cannot be served, reading goes on.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator

from ccf_operator.stage.reading import Reading

_ASKED_WITHIN = 1.0
"""Seconds for whoever asks to do so: one is answered at a time."""


@contextlib.contextmanager
def told(reading: Reading, address: str) -> Iterator[None]:
    """Tell a reading at `host:port` while it lasts; an empty host is every address."""
    listening = _listen(address)
    if listening is None:
        yield
        return
    threading.Thread(target=_serve, args=(listening, reading), name="progress", daemon=True).start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
        listening.close()


def _listen(address: str) -> socket.socket | None:
    host, _, port = address.rpartition(":")
    try:
        if not host and socket.has_dualstack_ipv6():
            return socket.create_server(("", int(port)), family=socket.AF_INET6, dualstack_ipv6=True)
        return socket.create_server((host.strip("[]"), int(port)))
    except (OSError, ValueError):
        return None


def _serve(listening: socket.socket, reading: Reading) -> None:
    while True:
        try:
            asking, _ = listening.accept()
        except OSError:
            return
        with asking, contextlib.suppress(OSError):
            asking.settimeout(_ASKED_WITHIN)
            asking.recv(4096)
            body = json.dumps(reading.to_json()).encode()
            head = f"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            asking.sendall(head.encode() + body)
