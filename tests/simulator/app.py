"""The `/app` frontend: endpoints of the JavaScript application that members installed (set_js_app)."""

from __future__ import annotations

from simulator.gov_types import NodeHooks, Request, Response
from simulator.kv import Tx


def is_write(tx: Tx, request: Request) -> bool:
    """True if the request is for the primary: the endpoint's `forwarding_required` is not "never" and its mode is
    "readwrite". False for an unknown path (any node answers 404)."""
    raise NotImplementedError


def handle(tx: Tx, request: Request, hooks: NodeHooks) -> Response:
    """Answer one request under /app/ with the installed bundle; 404 ResourceNotFound without a matching endpoint.

    Writes of `tx` are to be applied if `response.keep_writes`. FrontendNotOpen is the caller's business."""
    raise NotImplementedError
