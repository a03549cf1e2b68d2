"""Logs: one event a line, ours and those of the libraries alike."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog


def configure(level: str, form: Literal["json", "console"]) -> None:
    """Send everything that is logged to standard error, as JSON lines or as text for people.

    Every line carries `namespace`, `network`, `attempt` and `node` (null where it is about none).
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _subject,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    rendering: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
        if form == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,  # others show local variables: keys, too
            )
        ]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Every request and every watch event is theirs to tell; what they warn of is heard.
    for noisy in ("httpx", "httpcore", "asyncio", "aiohttp.access", "kopf.objects", "kopf.activities"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def _subject(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {**dict.fromkeys(("namespace", "network", "attempt", "node")), **event}


def get(name: str) -> Any:
    """The logger of a module."""
    return structlog.stdlib.get_logger(name)
