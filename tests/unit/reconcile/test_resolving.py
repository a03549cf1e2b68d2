from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from ccf_operator.domain.observation import NamesView, Resolution
from ccf_operator.reconcile.resolving import Resolving, search_domain

FOUND_4 = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 0))]
FOUND_6 = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fd00::7", 0, 0, 0))]


class Resolver:
    """Answers for the event loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
        self.asked: list[str] = []
        self.answer = answer
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self.resolve, raising=False)

    async def resolve(self, host: str, port: object, **_how: object) -> Any:
        self.asked.append(host)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


async def said(resolving: Resolving, heard: asyncio.Event, name: str) -> NamesView:
    assert resolving.what_is_known([name]).of == {}, "a look does not wait for it"
    async with asyncio.timeout(30):
        await heard.wait()
    return resolving.what_is_known([name])


@pytest.mark.parametrize(
    ("answer", "resolution"),
    [
        (FOUND_4, Resolution.ADDRESS),
        ([*FOUND_6, *FOUND_4], Resolution.ADDRESS),
        (FOUND_6, Resolution.NO_IPV4),
        (socket.gaierror(socket.EAI_NONAME, "not known"), Resolution.UNKNOWN),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), Resolution.NO_ANSWER),
        (TimeoutError(), Resolution.NO_ANSWER),
        (OSError("no resolver"), Resolution.NO_ANSWER),
    ],
)
async def test_what_the_resolver_says(monkeypatch: pytest.MonkeyPatch, answer: Any, resolution: Resolution) -> None:
    Resolver(monkeypatch, answer)
    heard = asyncio.Event()
    assert (await said(Resolving(heard.set), heard, "a.svc")).of == {"a.svc": resolution}


async def test_it_is_asked_once_and_forgets_names_that_nobody_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver(monkeypatch, FOUND_4)
    heard = asyncio.Event()
    resolving = Resolving(heard.set)
    await said(resolving, heard, "a.svc")
    resolving.what_is_known(["a.svc"])
    assert resolver.asked == ["a.svc"]
    assert resolving.what_is_known([]) == NamesView(), "and nobody is asked where there is nothing to ask"
    resolving.what_is_known(["a.svc"])
    await asyncio.sleep(0)
    assert resolver.asked == ["a.svc", "a.svc"]


@pytest.mark.parametrize(
    ("configuration", "domain"),
    [
        ("nameserver 10.96.0.10\nsearch ns.svc.corp.example svc.corp.example corp.example\n", "corp.example"),
        ("search default.svc.cluster.local svc.cluster.local cluster.local eu.internal\n", "cluster.local"),
        ("search eu.internal\n", None),
        ("nameserver 1.1.1.1\n\n# search svc.no\n", None),
        ("", None),
    ],
)
def test_the_clusters_domain_by_the_operators_own_resolver(configuration: str, domain: str | None) -> None:
    assert search_domain(configuration) == domain


async def test_a_resolver_configuration_that_cannot_be_read_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Resolver(monkeypatch, FOUND_4)
    assert Resolving(lambda: None, tmp_path / "missing").what_is_known(["a"]).search_domain is None
    (tmp_path / "resolv.conf").write_text("search svc.corp.example\n")
    assert Resolving(lambda: None, tmp_path / "resolv.conf").what_is_known(["a"]).search_domain == "corp.example"
