from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from simulator import n2n_handshake
from simulator.config import Address
from simulator.identity import KeyPair, Validity, endorse, key_id, service_certificate, signing_request
from simulator.n2n_handshake import Credentials, NotProven
from simulator.transport import ForwardFailed, Transport

PATIENCE = 10.0
YEAR = Validity(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), 36500)
LONG_AGO = Validity(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), 1)


class Service:
    def __init__(self) -> None:
        self.key = KeyPair.generate()
        self.certificate = service_certificate(self.key, "CN=CCF Service", YEAR)

    def credentials(self, validity: Validity = YEAR) -> Credentials:
        key = KeyPair.generate()
        certificate = endorse(signing_request(key, "CN=CCF Node", ()), self.key, self.certificate, validity)
        return Credentials(key, certificate, self.key.public_der)


@dataclass
class End:
    """A transport and what came to it."""

    credentials: Credentials
    transport: Transport
    address: str = ""
    received: list[tuple[str, bytes]] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def id(self) -> str:
        return self.credentials.key.fingerprint

    async def wait_for(self, count: int) -> list[tuple[str, bytes]]:
        async with asyncio.timeout(PATIENCE), self.arrived:
            await self.arrived.wait_for(lambda: len(self.received) >= count)
        return self.received


async def _echo(sender: str, request: bytes) -> bytes:
    return sender[:4].encode() + b" asks " + request


@asynccontextmanager
async def ends(
    *credentials: Credentials, on_forward: Callable[[str, bytes], Awaitable[bytes]] = _echo, max_message: int = 10**6
) -> AsyncIterator[list[End]]:
    """Running transports that know each other's addresses."""
    async with AsyncExitStack() as stack:
        made = [await _end(one, stack, on_forward, max_message) for one in credentials]
        for one in made:
            for other in made:
                one.transport.associate(other.id, other.address)
        yield made


async def _end(
    credentials: Credentials,
    stack: AsyncExitStack,
    on_forward: Callable[[str, bytes], Awaitable[bytes]] = _echo,
    max_message: int = 10**6,
    port: int = 0,
) -> End:
    tasks: set[asyncio.Task[None]] = set()

    def on_message(sender: str, payload: bytes) -> None:
        async def tell() -> None:
            async with end.arrived:
                end.received.append((sender, payload))
                end.arrived.notify_all()

        task = asyncio.create_task(tell())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    transport = Transport(
        Address("127.0.0.1", port),
        "unknown.invalid:1",
        credentials,
        on_message=on_message,
        on_forward=on_forward,
        max_message=max_message,
    )
    end = End(credentials, transport)
    end.address = str(await transport.start())
    stack.push_async_callback(transport.stop)
    return end


async def keep_sending(one: End, other: End, payload: bytes) -> None:
    """As consensus does: again and again, since any message may be lost."""
    async with asyncio.timeout(PATIENCE):
        while not any(payload == got for _, got in other.received):
            one.transport.send(other.id, payload)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.05), other.arrived:
                    await other.arrived.wait()


class TestMessages:
    async def test_come_in_order_with_the_proven_sender_first_ones_included(self) -> None:
        service = Service()
        async with ends(service.credentials(), service.credentials()) as (a, b):
            sent = [bytes([number]) * number for number in range(50)]
            for payload in sent:
                a.transport.send(b.id, payload)
            assert await b.wait_for(len(sent)) == [(a.id, payload) for payload in sent]

    async def test_go_both_ways_even_if_only_the_caller_knows_an_address(self) -> None:
        service = Service()
        async with AsyncExitStack() as stack:
            a = await _end(service.credentials(), stack)
            b = await _end(service.credentials(), stack)
            a.transport.associate(b.id, b.address)
            a.transport.send(b.id, b"call")
            await b.wait_for(1)
            b.transport.send(a.id, b"answer")
            assert await a.wait_for(1) == [(b.id, b"answer")]

    async def test_to_an_unreachable_node_are_dropped_without_an_error_and_others_still_go(self) -> None:
        service = Service()
        async with ends(service.credentials(), service.credentials()) as (a, b):
            gone = service.credentials().key.fingerprint
            a.transport.associate(gone, "127.0.0.1:1")
            for _ in range(200):
                a.transport.send(gone, b"lost")
                a.transport.send("no such node", b"lost")
            a.transport.send(b.id, b"kept")
            assert await b.wait_for(1) == [(a.id, b"kept")]

    async def test_reach_a_node_that_starts_later_at_the_known_address(self) -> None:
        service = Service()
        late = service.credentials()
        async with ends(service.credentials()) as (a,), AsyncExitStack() as stack:
            probe = await _end(service.credentials(), stack)
            await probe.transport.stop()
            a.transport.associate(late.key.fingerprint, probe.address)
            with pytest.raises(ForwardFailed):
                await a.transport.forward(late.key.fingerprint, b"too early", within=PATIENCE)
            b = await _end(late, stack, port=Address.parse(probe.address).port)
            await keep_sending(a, b, b"again")

    async def test_too_large_ones_end_the_channel_and_later_ones_come(self) -> None:
        service = Service()
        async with ends(service.credentials(), service.credentials(), max_message=10_000) as (a, b):
            a.transport.send(b.id, bytes(20_000))
            await keep_sending(a, b, b"small")
            assert all(len(payload) < 10_000 for _, payload in b.received)


class TestProof:
    async def test_node_of_another_service_is_not_heard(self) -> None:
        service, other = Service(), Service()
        async with ends(service.credentials(), service.credentials(), other.credentials()) as (a, b, stranger):
            with pytest.raises(ForwardFailed):
                await stranger.transport.forward(b.id, b"poison", within=PATIENCE)
            with pytest.raises(ForwardFailed):
                await a.transport.forward(stranger.id, b"secret", within=PATIENCE)
            await keep_sending(a, b, b"fine")
            assert {sender for sender, _ in b.received} == {a.id}
            assert stranger.received == []

    async def test_node_that_copied_a_certificate_is_not_heard(self) -> None:
        service = Service()
        victim = service.credentials()
        thief = Credentials(KeyPair.generate(), victim.certificate, victim.service_key)
        async with ends(service.credentials(), thief) as (a, b):
            with pytest.raises(ForwardFailed):
                await b.transport.forward(a.id, b"poison", within=PATIENCE)
            a.transport.associate(victim.key.fingerprint, b.address)
            with pytest.raises(ForwardFailed):
                await a.transport.forward(victim.key.fingerprint, b"secret", within=PATIENCE)

    async def test_another_node_at_the_address_gets_nothing(self) -> None:
        service = Service()
        async with ends(service.credentials(), service.credentials()) as (a, b):
            expected = service.credentials().key.fingerprint
            a.transport.associate(expected, b.address)
            with pytest.raises(ForwardFailed):
                await a.transport.forward(expected, b"for someone else", within=PATIENCE)
            assert b.received == []

    async def test_no_channel_before_the_node_is_endorsed_then_one(self) -> None:
        service = Service()
        joiner = service.credentials()
        certificate, joiner.certificate = joiner.certificate, None
        async with ends(service.credentials(), joiner) as (a, b):
            with pytest.raises(ForwardFailed):
                await a.transport.forward(b.id, b"early", within=PATIENCE)
            joiner.certificate = certificate
            await keep_sending(a, b, b"now")

    async def test_expired_certificates_are_enough(self) -> None:
        service = Service()
        async with ends(service.credentials(LONG_AGO), service.credentials(LONG_AGO)) as (a, b):
            a.transport.send(b.id, b"old")
            assert await b.wait_for(1) == [(a.id, b"old")]

    def test_proof_of_one_side_or_of_other_hellos_is_none(self) -> None:
        service = Service()
        caller, callee = service.credentials(), service.credentials()
        first, second = n2n_handshake.hello(caller, "a:1"), n2n_handshake.hello(callee, "b:1")
        peer = n2n_handshake.read_hello(first, callee)
        assert peer.node_id == key_id(caller.key.public_der)
        proof = n2n_handshake.prove(caller.key, "caller", first, second)
        n2n_handshake.check_proof(peer, "caller", first, second, proof)
        for side, one, other in (
            ("callee", first, second),
            ("caller", second, first),
            ("caller", n2n_handshake.hello(caller, "a:1"), second),
        ):
            with pytest.raises(NotProven):
                n2n_handshake.check_proof(peer, side, one, other, proof)  # type: ignore[arg-type]

    @pytest.mark.parametrize("noise", [b"", b"{}", b"[]", b'{"certificate": "x", "address": "a:1"}', b"\xff"])
    def test_noise_is_no_hello(self, noise: bytes) -> None:
        with pytest.raises(NotProven):
            n2n_handshake.read_hello(noise, Service().credentials())


class TestForwarding:
    async def test_gives_the_reply_of_the_other_node(self) -> None:
        service = Service()
        async with ends(service.credentials(), service.credentials()) as (a, b):
            replies = await asyncio.gather(*(a.transport.forward(b.id, b"%d" % n, within=PATIENCE) for n in range(5)))
            assert replies == [a.id[:4].encode() + b" asks %d" % n for n in range(5)]
            assert await b.transport.forward(a.id, b"back", within=PATIENCE) == b.id[:4].encode() + b" asks back"

    async def test_slow_reply_is_not_waited_for_and_blocks_nothing(self) -> None:
        service = Service()
        release = asyncio.Event()

        async def slowly(sender: str, request: bytes) -> bytes:
            if request == b"slow":
                await release.wait()
            return request

        async with ends(service.credentials(), service.credentials(), on_forward=slowly) as (a, b):
            with pytest.raises(ForwardFailed):
                await a.transport.forward(b.id, b"slow", within=0.2)
            assert await a.transport.forward(b.id, b"quick", within=PATIENCE) == b"quick"
            release.set()
            assert await a.transport.forward(b.id, b"quick again", within=PATIENCE) == b"quick again"

    async def test_failure_of_the_other_side_is_told(self) -> None:
        service = Service()

        async def fail(sender: str, request: bytes) -> bytes:
            raise RuntimeError("no")

        async with ends(service.credentials(), service.credentials(), on_forward=fail) as (a, b):
            with pytest.raises(ForwardFailed, match="could not answer"):
                await a.transport.forward(b.id, b"please", within=PATIENCE)

    async def test_ends_at_once_when_the_other_node_dies(self) -> None:
        service = Service()
        asked = asyncio.Event()

        async def never(sender: str, request: bytes) -> bytes:
            asked.set()
            await asyncio.Event().wait()
            return b""

        async with ends(service.credentials(), service.credentials(), on_forward=never) as (a, b):
            waiting = asyncio.create_task(a.transport.forward(b.id, b"please", within=60))
            async with asyncio.timeout(PATIENCE):
                await asked.wait()
                await b.transport.stop()
                with pytest.raises(ForwardFailed):
                    await waiting

    async def test_stopped_transport_sends_nothing(self) -> None:
        service = Service()
        async with ends(service.credentials(), service.credentials()) as (a, b):
            await a.transport.stop()
            a.transport.send(b.id, b"late")
            with pytest.raises(ForwardFailed):
                await a.transport.forward(b.id, b"late", within=PATIENCE)
            assert not a.transport.is_open(b.id)
