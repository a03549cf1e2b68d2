"""Runs members' and applications' JavaScript with CCF's `ccf` object over a transaction (CCF facts §6.3).

Each `Script` is one QuickJS context of its own, as in CCF: nothing survives from one evaluation to the next.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import quickjs
from cryptography import x509

from simulator.gov_tables import certificate_id
from simulator.kv import Tx

MEMORY_LIMIT = 100 * 1024 * 1024
STACK_LIMIT = 1024 * 1024

HostCall = Callable[..., Any]


class Access(Enum):
    """Who runs, which decides the tables it may touch."""

    GOVERNANCE_READ = "read-only governance"
    GOVERNANCE_WRITE = "read-write governance"
    APPLICATION_READ = "read-only application"
    APPLICATION_WRITE = "application"


class ScriptError(Exception):
    """An exception left the script (or it did not evaluate): `reason` as JavaScript words it, and the stack."""

    def __init__(self, reason: str, trace: str) -> None:
        super().__init__(reason)
        self.reason, self.trace = reason, trace


@dataclass(frozen=True)
class Bytes:
    """An ArrayBuffer that a script returned."""

    value: bytes


def permission(access: Access, table: str) -> str:
    """ "rw", "r" or "" for a table by its name, as CCF's read/write restrictions have it."""
    public = table.startswith("public:")
    name = table.removeprefix("public:")
    governance = access in (Access.GOVERNANCE_READ, Access.GOVERNANCE_WRITE)
    if name.startswith("ccf.internal."):
        return "r" if public else ""
    if name.startswith("ccf.gov."):
        if not public:
            return ""
        return "rw" if access is Access.GOVERNANCE_WRITE else "r"
    if governance:
        return "r" if public else ""
    return "rw" if access is Access.APPLICATION_WRITE else "r"


_PRELUDE = r"""
(() => {
  const host = globalThis.__host;
  delete globalThis.__host;
  const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));
  const toHex = (buffer) => {
    const bytes = new Uint8Array(buffer), parts = new Array(bytes.length);
    for (let i = 0; i < bytes.length; i++) parts[i] = HEX[bytes[i]];
    return parts.join("");
  };
  const fromHex = (text) => {
    const bytes = new Uint8Array(text.length / 2);
    for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.substr(2 * i, 2), 16);
    return bytes.buffer;
  };
  const call = (name, ...args) => {
    const answer = JSON.parse(host(name, JSON.stringify(args)));
    if (answer.type !== undefined) throw new (answer.type === "TypeError" ? TypeError : InternalError)(answer.error);
    return answer.value;
  };
  const buffer = (value, what) => {
    if (!(value instanceof ArrayBuffer)) throw new TypeError(what);
    return toHex(value);
  };
  const strToBuf = (text) => {
    if (typeof text !== "string") throw new TypeError("Argument must be a string");
    const escaped = unescape(encodeURIComponent(text)), bytes = new Uint8Array(escaped.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = escaped.charCodeAt(i);
    return bytes.buffer;
  };
  const bufToStr = (value) => {
    if (!(value instanceof ArrayBuffer)) throw new TypeError("Argument must be an ArrayBuffer");
    const bytes = new Uint8Array(value);
    let text = "";
    for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode.apply(null, bytes.subarray(i, i + 4096));
    return decodeURIComponent(escape(text));
  };
  const ONE = "Argument must be an ArrayBuffer", BOTH = "Arguments must be ArrayBuffers";
  const handle = (table) => {
    const map = {
      has: (key) => call("kv.get", table, "has", buffer(key, ONE)) !== null,
      get: (key) => {
        const value = call("kv.get", table, "get", buffer(key, ONE));
        return value === null ? undefined : fromHex(value);
      },
      getVersionOfPreviousWrite: (key) =>
        call("kv.version", table, "getVersionOfPreviousWrite", buffer(key, ONE)) ?? undefined,
      set: (key, value) => {
        call("kv.set", table, "set", buffer(key, BOTH), buffer(value, BOTH));
        return map;
      },
      delete: (key) => call("kv.delete", table, "delete", buffer(key, ONE)) ?? undefined,
      clear: () => call("kv.clear", table, "clear") ?? undefined,
      forEach: (visit) => {
        if (typeof visit !== "function") throw new TypeError("Argument must be a function");
        for (const [key, value] of call("kv.items", table, "forEach")) visit(fromHex(value), fromHex(key), map);
      },
    };
    Object.defineProperty(map, "size", { get: () => call("kv.items", table, "size").length });
    return map;
  };
  const format = (value) => (typeof value === "string" ? value : JSON.stringify(value) ?? String(value));
  const log = (...values) => call("log", values.map(format).join(" ")) ?? undefined;
  globalThis.console = { log, debug: log, info: log, warn: log, error: log };
  let untrustedTime = false;
  globalThis.ccf = {
    kv: new Proxy({}, { get: (_, table) => (typeof table === "string" ? handle(table) : undefined) }),
    strToBuf,
    bufToStr,
    jsonCompatibleToBuf: (value) => strToBuf(JSON.stringify(value)),
    bufToJsonCompatible: (value) => JSON.parse(bufToStr(value)),
    pemToId: (pem) => call("pemToId", String(pem)),
    enableUntrustedDateTime: (on) => {
      const before = untrustedTime;
      untrustedTime = on;
      return before;
    },
    enableMetricsLogging: () => false,
    crypto: {
      digest: (algorithm, data) => fromHex(call("digest", algorithm, buffer(data, ONE))),
      isValidX509CertBundle: (pem) => call("isValidX509CertBundle", pem),
    },
  };
  const optional = (value) => (value === undefined ? null : bufToStr(value));
  const features = {
    governance: () => {
      ccf.refreshAppBytecodeCache = () => undefined;
      ccf.gov = { validateConstitution: (source) => call("validateConstitution", source) };
    },
    apply: () => {
      ccf.node = {
        transitionServiceToOpen: (previous, next) => {
          if (next === undefined) throw new InternalError("Proposal requires a service identity");
          call("transitionServiceToOpen", optional(previous), bufToStr(next));
        },
      };
      for (const name of
        ["triggerLedgerRekey", "triggerRecoverySharesRefresh", "triggerLedgerChunk", "triggerSnapshot"])
        ccf.node[name] = () => call(name) ?? undefined;
      ccf.node.shuffleSealedShares = () => undefined;
      ccf.network = {
        getLatestLedgerSecretSeqno: () => call("getLatestLedgerSecretSeqno"),
        generateEndorsedCertificate: (csr, from, days) => call("generateEndorsedCertificate", csr, from, days),
        generateNetworkCertificate: (from, days) => call("generateNetworkCertificate", from, days),
      };
    },
  };
  globalThis.__enable = (name) => features[name]();
  globalThis.__request = (text) => {
    const request = JSON.parse(text), body = fromHex(request.body);
    request.body = {
      text: () => bufToStr(body),
      json: () => JSON.parse(bufToStr(body)),
      arrayBuffer: () => body.slice(0),
    };
    return request;
  };
  const plain = (value) => {
    if (value === undefined) return { type: "undefined" };
    if (value instanceof ArrayBuffer) return { type: "bytes", value: toHex(value) };
    return { type: "json", value };
  };
  const failure = (error) => JSON.stringify({ error: String(error), trace: error?.stack ?? "" });
  globalThis.__call = (name, args, describe) => {
    try {
      const run = globalThis.__module[name];
      if (typeof run !== "function") throw new TypeError(`${name} is not an exported function`);
      return JSON.stringify({ value: describe(run(...args), plain) });
    } catch (error) {
      return failure(error);
    }
  };
})();
"""

_DESCRIBE_VALUE = "(value, plain) => plain(value)"
_DESCRIBE_ANSWER = (
    "(answer, plain) => ({ statusCode: answer?.statusCode, headers: answer?.headers, body: plain(answer?.body) })"
)


class Script:
    """A context with one evaluated module and the `ccf` object over `tx`."""

    def __init__(self, tx: Tx, access: Access, log: Callable[[str], None]) -> None:
        self._tx, self._access = tx, access
        self._calls: dict[str, HostCall] = {
            "kv.get": self._get,
            "kv.version": self._version,
            "kv.set": self._set,
            "kv.delete": self._delete,
            "kv.clear": self._clear,
            "kv.items": self._items,
            "pemToId": certificate_id,
            "digest": _digest,
            "isValidX509CertBundle": _is_certificate_bundle,
            "log": log,
        }
        self._context = quickjs.Context()
        self._context.set_memory_limit(MEMORY_LIMIT)
        self._context.set_max_stack_size(STACK_LIMIT)
        self._context.add_callable("__host", self._host)
        self._context.eval(_PRELUDE)

    def enable(self, feature: str, calls: Mapping[str, HostCall]) -> None:
        """Add the functions of "governance" or "apply" to `ccf`, served by `calls` (RuntimeError = their failure)."""
        self._calls.update(calls)
        self._context.eval(f"__enable({json.dumps(feature)})")

    def load(self, source: str) -> None:
        """Evaluate the module. Raises ScriptError."""
        try:
            self._context.module(source)
            # A module evaluated first is found by its name; this is how its exports are reached.
            self._context.module("import * as m from '<input>'; globalThis.__module = m;")
        except quickjs.JSException as error:
            reason, _, trace = str(error).partition("\n")
            raise ScriptError(reason, trace) from None

    def call(self, function: str, *arguments: Any) -> Any:
        """Call an exported function with JSON-compatible arguments; None for undefined. Raises ScriptError."""
        described = self._call(function, f"[...JSON.parse({_literal(arguments)})]", _DESCRIBE_VALUE)
        return _plain(described)

    def answer(self, function: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call an endpoint with a CCF request object (`body` as bytes); what it returned: statusCode, headers, and
        body (JSON-compatible, `Bytes`, or None). Raises ScriptError."""
        prepared = {**request, "body": request["body"].hex()}
        described = self._call(function, f"[__request({_literal(prepared)})]", _DESCRIBE_ANSWER)
        return {**described, "body": _plain(described["body"])}

    def arity(self, function: str) -> int | None:
        """How many parameters an exported function has; None if it is none."""
        found = self._context.eval(
            f"typeof __module[{json.dumps(function)}] === 'function' ? __module[{json.dumps(function)}].length : -1"
        )
        return None if found < 0 else int(found)

    def _call(self, function: str, arguments: str, describe: str) -> Any:
        try:
            answer = json.loads(self._context.eval(f"__call({json.dumps(function)}, {arguments}, {describe})"))
        except quickjs.JSException as error:
            reason, _, trace = str(error).partition("\n")
            raise ScriptError(reason, trace) from None
        if "error" in answer:
            raise ScriptError(answer["error"], answer["trace"])
        return answer["value"]

    def _host(self, name: str, arguments: str) -> str:
        # An exception must not pass through QuickJS: the binding turns it into an opaque failure.
        try:
            return json.dumps({"value": self._calls[name](*json.loads(arguments))})
        except TypeError as error:
            return json.dumps({"type": "TypeError", "error": str(error)})
        except Exception as error:
            return json.dumps({"type": "InternalError", "error": str(error)})

    def _check(self, table: str, method: str, needed: str) -> None:
        granted = permission(self._access, table)
        if needed not in granted:
            kind = "read-only" if granted else "inaccessible"
            raise TypeError(
                f"Cannot call .{method}() on {kind} table named {table} in {self._access.value} execution context."
            )

    def _get(self, table: str, method: str, key: str) -> str | None:
        self._check(table, method, "r")
        value = self._tx.get(table, bytes.fromhex(key))
        return None if value is None else value.hex()

    def _version(self, table: str, method: str, key: str) -> int | None:
        self._check(table, method, "r")
        return self._tx.version_of(table, bytes.fromhex(key))

    def _set(self, table: str, method: str, key: str, value: str) -> None:
        self._check(table, method, "w")
        self._tx.put(table, bytes.fromhex(key), bytes.fromhex(value))

    def _delete(self, table: str, method: str, key: str) -> None:
        self._check(table, method, "w")
        if self._tx.get(table, bytes.fromhex(key)) is not None:
            self._tx.remove(table, bytes.fromhex(key))

    def _clear(self, table: str, method: str) -> None:
        self._check(table, method, "w")
        for key, _ in list(self._tx.items(table)):
            self._tx.remove(table, key)

    def _items(self, table: str, method: str) -> list[tuple[str, str]]:
        self._check(table, method, "r")
        return [(key.hex(), value.hex()) for key, value in sorted(self._tx.items(table))]


def _literal(value: Any) -> str:
    """A JavaScript string literal that holds `value` as JSON."""
    return json.dumps(json.dumps(value))


def _plain(described: Mapping[str, Any]) -> Any:
    if described["type"] == "undefined":
        return None
    if described["type"] == "bytes":
        return Bytes(bytes.fromhex(described["value"]))
    return described.get("value")


def _digest(algorithm: str, data: str) -> str:
    if algorithm not in ("SHA-256", "SHA-384", "SHA-512"):
        raise ValueError(f"unsupported digest algorithm {algorithm}")
    return hashlib.new(algorithm.replace("-", ""), bytes.fromhex(data)).hexdigest()


def _is_certificate_bundle(pem: str) -> bool:
    try:
        return bool(x509.load_pem_x509_certificates(pem.encode()))
    except ValueError:
        return False
