from __future__ import annotations

import json

import pytest

from ccf_operator.ccf import governance as messages
from members import generate_member
from simulator import app
from simulator.gov_types import Request
from unit.simulator.single_node import FIXTURES, SingleNode, body, error

MEMBER = generate_member("member0")
BUNDLE = json.loads((FIXTURES / "app/bundle.json").read_text())
JOURNAL = {one["name"]: (FIXTURES / "app" / one["file"]).read_text() for one in BUNDLE["modules"]}


@pytest.fixture
def node() -> SingleNode:
    node = SingleNode([MEMBER])
    node.opened([MEMBER])
    return node


@pytest.fixture
def with_journal(node: SingleNode) -> SingleNode:
    node.passed([MEMBER], messages.set_js_app(BUNDLE["metadata"], JOURNAL))
    return node


def _post(key: str, value: str) -> Request:
    content = json.dumps({"key": key, "value": value}).encode()
    return Request("POST", "/app/journal", headers={"content-type": "application/json"}, body=content)


def _one_endpoint(source: str, **properties: object) -> messages.Action:
    info = {"js_module": "m.js", "js_function": "run", "forwarding_required": "always", "mode": "readwrite"}
    return messages.set_js_app({"endpoints": {"/thing/{id}": {"get": {**info, **properties}}}}, {"m.js": source})


def test_without_an_application_there_is_no_endpoint(node: SingleNode) -> None:
    assert error(node.request(_post("a", "1"))) == (404, "ResourceNotFound")
    assert not app.is_write(node.store.begin(), _post("a", "1"))


def test_the_journal_keeps_what_is_written_in_a_private_table(with_journal: SingleNode) -> None:
    written = with_journal.request(_post("clé 1", "välue"))
    assert (written.status, body(written)) == (200, {"key": "clé 1"})
    read = with_journal.request(Request("GET", "/app/journal", "key=cl%C3%A9%201"))
    assert body(read) == {"key": "clé 1", "value": "välue"}
    assert "välue".encode() not in with_journal.entries[-1]
    assert error(with_journal.request(Request("GET", "/app/journal", "key=b"))) == (404, "ResourceNotFound")


def test_writes_are_for_the_primary_and_reads_for_any_node(with_journal: SingleNode) -> None:
    tx = with_journal.store.begin()
    assert app.is_write(tx, _post("a", "1"))
    assert not app.is_write(tx, Request("GET", "/app/journal", "key=a"))


def test_a_verb_that_is_not_served(with_journal: SingleNode) -> None:
    assert error(with_journal.request(Request("DELETE", "/app/journal"))) == (405, "UnsupportedHttpVerb")


def test_a_new_bundle_replaces_the_old(with_journal: SingleNode) -> None:
    with_journal.passed([MEMBER], _one_endpoint("export function run (r) { return { body: r.params.id } }"))
    answer = with_journal.request(Request("GET", "/app/thing/7"))
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"7", "text/plain")
    assert error(with_journal.request(_post("a", "1"))) == (404, "ResourceNotFound")


def test_an_exception_discards_what_was_written(node: SingleNode) -> None:
    source = """
      export function run (request) {
        ccf.kv["things"].set(ccf.strToBuf("a"), ccf.strToBuf("b"));
        throw new TypeError("broken");
      }"""
    node.passed([MEMBER], _one_endpoint(source))
    before = node.store.current
    answer = node.request(Request("GET", "/app/thing/7"))
    assert error(answer) == (500, "InternalError")
    assert body(answer)["error"]["details"][0]["message"] == "TypeError: broken"
    assert node.store.current == before


@pytest.mark.parametrize(
    ("table", "mode"),
    [("public:ccf.gov.members.info", "readwrite"), ("ccf.internal.x", "readwrite"), ("t", "readonly")],
)
def test_an_application_writes_only_its_own_tables(node: SingleNode, table: str, mode: str) -> None:
    source = f"""
      export function run () {{
        ccf.kv["{table}"].set(ccf.strToBuf("a"), ccf.strToBuf("b"));
      }}"""
    node.passed([MEMBER], _one_endpoint(source, mode=mode))
    assert error(node.request(Request("GET", "/app/thing/7"))) == (500, "InternalError")


def test_bytes_and_status_of_an_answer(node: SingleNode) -> None:
    source = """
      export function run () {
        return { statusCode: 201, headers: { "X-Thing": 1 }, body: new Uint8Array([0, 255]).buffer };
      }"""
    node.passed([MEMBER], _one_endpoint(source))
    answer = node.request(Request("GET", "/app/thing/7"))
    assert (answer.status, answer.body, answer.headers["x-thing"]) == (201, b"\x00\xff", "1")
