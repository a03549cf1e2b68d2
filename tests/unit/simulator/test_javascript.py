from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulator.javascript import Access, Script, ScriptError, permission
from simulator.kv import Store, Tx
from simulator.ledger_crypto import LedgerSecrets

TABLE = "public:ccf.gov.things"


def _run(source: str, tx: Tx | None = None, access: Access = Access.GOVERNANCE_WRITE) -> Any:
    script = Script(tx or Store(LedgerSecrets()).begin(), access, _nowhere)
    script.load(source)
    return script.call("run")


def _nowhere(_: str) -> None:
    pass


def test_a_table_behaves_like_a_map_of_buffers() -> None:
    tx = Store(LedgerSecrets()).begin()
    tx.put(TABLE, b"\x00\xff", b"old")
    source = f"""
      export function run () {{
        const t = ccf.kv["{TABLE}"], raw = new Uint8Array([0, 255]).buffer, a = ccf.strToBuf("ä");
        const before = [t.has(raw), t.has(a), t.size, t.get(a) === undefined, ccf.bufToStr(t.get(raw))];
        t.set(a, ccf.jsonCompatibleToBuf({{ n: 1 }})).set(raw, ccf.strToBuf("new"));
        t.delete(ccf.strToBuf("absent"));
        const seen = [];
        t.forEach((value, key, table) => seen.push([new Uint8Array(key)[0], ccf.bufToStr(value), table.size]));
        t.delete(raw);
        return [before, seen, t.size, ccf.bufToJsonCompatible(t.get(a))];
      }}"""
    before, seen, size, last = _run(source, tx)
    assert before == [True, False, 1, True, "old"]
    assert seen == [[0, "new", 2], [0xC3, '{"n":1}', 2]]
    assert (size, last) == (1, {"n": 1})
    assert dict(tx.items(TABLE)) == {"ä".encode(): b'{"n":1}'}
    _run(f'export function run () {{ ccf.kv["{TABLE}"].clear() }}', tx)
    assert list(tx.items(TABLE)) == []


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        (f'ccf.kv["{TABLE}"].get("text")', "TypeError: Argument must be an ArrayBuffer"),
        ("ccf.strToBuf(1)", "TypeError: Argument must be a string"),
        ("ccf.pemToId('nonsense')", "InternalError: "),
        ("ccf.node.triggerSnapshot()", "TypeError: "),
        ("undefined.x", "TypeError: "),
    ],
)
def test_wrong_use_throws_in_the_script(expression: str, reason: str) -> None:
    with pytest.raises(ScriptError) as caught:
        _run(f"export function run () {{ return {expression} }}")
    assert caught.value.reason.startswith(reason)
    assert "run" in caught.value.trace
    assert _run(f"export function run () {{ try {{ {expression} }} catch (e) {{ return true }} }}") is True


def test_what_does_not_evaluate_or_export() -> None:
    for source in ("export function run( {", "throw new Error('at once')", "export function other () {}"):
        with pytest.raises(ScriptError):
            _run(source)


def test_console_goes_to_the_log() -> None:
    logged: list[str] = []
    log: Callable[[str], None] = logged.append
    script = Script(Store(LedgerSecrets()).begin(), Access.GOVERNANCE_READ, log)
    script.load("console.log('a', { b: 1 }, undefined); export function run () {}")
    assert logged == ['a {"b":1} undefined']


@pytest.mark.parametrize(
    ("access", "table", "granted"),
    [
        (Access.GOVERNANCE_WRITE, "public:ccf.gov.x", "rw"),
        (Access.GOVERNANCE_READ, "public:ccf.gov.x", "r"),
        (Access.GOVERNANCE_WRITE, "public:ccf.internal.x", "r"),
        (Access.GOVERNANCE_WRITE, "public:app", "r"),
        (Access.GOVERNANCE_WRITE, "app", ""),
        (Access.APPLICATION_WRITE, "app", "rw"),
        (Access.APPLICATION_WRITE, "public:app", "rw"),
        (Access.APPLICATION_READ, "app", "r"),
        (Access.APPLICATION_WRITE, "public:ccf.gov.x", "r"),
        (Access.APPLICATION_WRITE, "ccf.internal.x", ""),
    ],
)
def test_who_may_touch_which_table(access: Access, table: str, granted: str) -> None:
    assert permission(access, table) == granted
