"""What the operator says of itself over HTTP: that it lives, and whether it is ready to look after networks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from aiohttp import web

LIVE, READY = "/healthz", "/readyz"


@asynccontextmanager
async def serving(
    port: int, watched: Callable[[], int], problems: Callable[[], tuple[str, ...]]
) -> AsyncIterator[None]:
    """Serve both pages on `port` of every address.

    `/healthz` answers as long as the event loop turns. `/readyz` is 200 where there are no `problems`, else 503; either
    way its body, JSON, names them: `{"ready": false, "problems": ["..."]}`.
    """

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"networks": watched(), "now": datetime.now(UTC).isoformat()})

    async def ready(_: web.Request) -> web.Response:
        found = problems()
        return web.json_response({"ready": not found, "problems": list(found)}, status=503 if found else 200)

    application = web.Application()
    application.router.add_get(LIVE, live)
    application.router.add_get(READY, ready)
    runner = web.AppRunner(application, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, None, port).start()
        yield
    finally:
        await runner.cleanup()
