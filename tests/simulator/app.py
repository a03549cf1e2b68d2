"""The `/app` frontend: endpoints of the JavaScript application that members installed (set_js_app)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.gov_tables import ENDPOINTS, MODULES, json_items
from simulator.gov_types import GovError, NodeHooks, Request, Response
from simulator.javascript import Access, Bytes, Script, ScriptError
from simulator.kv import Tx


@dataclass(frozen=True)
class _Found:
    properties: Mapping[str, Any]
    parameters: Mapping[str, str]
    route: str


def is_write(tx: Tx, request: Request) -> bool:
    """True if the request is for the primary: its endpoint's `forwarding_required` is "always", or it is "sometimes"
    and the mode "readwrite". False for an unknown path (any node answers 404)."""
    try:
        properties = _find(tx, request).properties
    except GovError:
        return False
    needed = properties.get("forwarding_required", "always")
    writes: bool = properties.get("mode", "readwrite") == "readwrite"
    return needed == "always" or (needed == "sometimes" and writes)


def handle(tx: Tx, request: Request, hooks: NodeHooks) -> Response:
    """Answer one request under /app/ with the installed bundle; 404 ResourceNotFound without a matching endpoint.

    Writes of `tx` are to be applied if `response.keep_writes`. FrontendNotOpen is the caller's business."""
    try:
        found = _find(tx, request)
        return _run(tx, request, found, hooks)
    except GovError as error:
        return error.response()


def _find(tx: Tx, request: Request) -> _Found:
    path = request.path.removeprefix("/app")
    allowed = []
    for key, properties in json_items(tx, ENDPOINTS):
        verb, _, template = key.partition(" ")
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
        match = re.fullmatch(pattern, path)
        if match is not None and verb == request.method:
            return _Found(properties, match.groupdict(), f"/app{template}")
        if match is not None:
            allowed.append(verb)
    if allowed:
        reason = f"Allowed methods for '{path}' are: {', '.join(sorted(allowed))}."
        raise GovError(405, "UnsupportedHttpVerb", reason)
    raise GovError(404, "ResourceNotFound", f"Unknown path: {path}.")


def _run(tx: Tx, request: Request, found: _Found, hooks: NodeHooks) -> Response:
    properties = found.properties
    source = tx.get(MODULES, properties["js_module"].encode())
    if source is None:
        raise GovError(500, "InternalError", f"Module {properties['js_module']} not found")
    writes = properties.get("mode", "readwrite") == "readwrite"
    script = Script(tx, Access.APPLICATION_WRITE if writes else Access.APPLICATION_READ, hooks.log)
    try:
        script.load(source.decode())
        answer = script.answer(
            properties["js_function"],
            {
                "headers": dict(request.headers),
                "query": request.query,
                "path": request.path,
                "method": request.method,
                "hostname": request.headers.get("host"),
                "route": found.route,
                "url": f"{request.path}?{request.query}" if request.query else request.path,
                "params": dict(found.parameters),
                "caller": {"policy": "no_auth"},
                "body": request.body,
            },
        )
    except ScriptError as error:
        detail = {"code": "JSException", "message": error.reason, "trace": error.trace}
        raise GovError(500, "InternalError", "Exception thrown while executing.", detail) from error
    return _response(answer)


def _response(answer: Mapping[str, Any]) -> Response:
    status = int(answer.get("statusCode") or 200)
    headers = {str(name).lower(): str(value) for name, value in (answer.get("headers") or {}).items()}
    body = answer["body"]
    keep = 200 <= status < 300
    if body is None:
        return Response(status, b"", headers, keep)
    if isinstance(body, Bytes):
        return Response(status, body.value, {"content-type": "application/octet-stream", **headers}, keep)
    if isinstance(body, str):
        return Response(status, body.encode(), {"content-type": "text/plain", **headers}, keep)
    answered = Response.of_json(status, body, keep_writes=keep)
    return Response(status, answered.body, {**answered.headers, **headers}, keep)
