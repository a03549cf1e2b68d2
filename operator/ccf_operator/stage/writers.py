"""Whether somebody still writes to the volume, or a node still answers that a person has said to have ended.

A node whose end its kubelet has not reported may run on, whatever was said of its machine, and with others like it may
commit. So the ledgers are looked at twice, and those nodes are called where they were last. Read-only.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ccf_operator.render.layout import generation as directory_name
from ccf_operator.stage.generations import LEDGER, MANIFEST
from ccf_operator.stage.plan import Former, StagePlan

LOOKS_APART = 2.0
"""Seconds between the two looks, where the end of a former writer was not reported."""
CALL_SECONDS = 1.5
"""How long a former node may take to show its certificate."""

Footprint = dict[str, tuple[int, int]]
"""Size and time of the last change (ns) of each ledger file on a volume but those of the plan's own generation."""


class StillWritten(Exception):
    """Somebody writes to the volume, or answers; `alive` names the nodes, as far as that is known."""

    def __init__(self, why: str, alive: Iterable[str]) -> None:
        super().__init__(why)
        self.alive = tuple(dict.fromkeys(alive))


@dataclass(frozen=True)
class FirstLook:
    """What was seen at the beginning."""

    at: float
    files: Footprint


def look(volume: Path, plan: StagePlan) -> FirstLook:
    """The first look. Raises OSError."""
    return FirstLook(time.monotonic(), _files(volume, plan))


def refuse_what_lives(
    volume: Path, plan: StagePlan, first: FirstLook, sleep: Callable[[float], None] = time.sleep
) -> None:
    """The second look: some time after the first, unless all ends were reported. Raises StillWritten, OSError."""
    if plan.former:
        answering = _who_answers(plan.former)
        if answering:
            who = ", ".join(f"{one.node} ({one.address}:{one.port})" for one in answering)
            raise StillWritten(f"{who} answers with its own key", [one.node for one in answering])
        sleep(max(0.0, first.at + LOOKS_APART - time.monotonic()))
    now = _files(volume, plan)
    changed = sorted(name for name in {*first.files, *now} if first.files.get(name) != now.get(name))
    if changed:
        generations = dict.fromkeys(name.partition("/")[0] for name in changed)
        alive = [node for name in generations if (node := _writer(volume / name)) is not None]
        size = f"{first.files.get(changed[0], (0, 0))[0]} to {now.get(changed[0], (0, 0))[0]} bytes"
        raise StillWritten(f"{changed[0]} went from {size} while it was read: {' '.join(alive)} writes", alive)


def _files(volume: Path, plan: StagePlan) -> Footprint:
    own = directory_name(plan.generation)
    found: Footprint = {}
    for path in volume.glob(f"gen-*/{LEDGER}/*"):
        if path.relative_to(volume).parts[0] == own:
            continue
        try:
            seen = path.stat()
        except FileNotFoundError:
            continue  # renamed while it was listed: the new name is another file
        found[str(path.relative_to(volume))] = (seen.st_size, seen.st_mtime_ns)
    return found


def _writer(generation: Path) -> str | None:
    try:
        return str(json.loads((generation / MANIFEST).read_bytes())["node"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _who_answers(former: tuple[Former, ...]) -> list[Former]:
    with ThreadPoolExecutor(max_workers=len(former)) as pool:
        answers = list(pool.map(_answers, former))
    return [one for one, answered in zip(former, answers, strict=True) if answered]


def _answers(one: Former) -> bool:
    """Whether a server that shows this node's key is there; whoever else got the address shows another."""
    from ccf_operator.ccf.identity import BadCertificate, node_id  # long to import, and mostly not needed

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((one.address, one.port), timeout=CALL_SECONDS) as connection,
            context.wrap_socket(connection) as secured,
        ):
            return node_id(secured.getpeercert(binary_form=True) or b"") == one.node_id
    except (OSError, ValueError, BadCertificate):
        return False
