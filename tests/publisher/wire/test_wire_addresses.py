"""Where deliveries may go: the address table, its exceptions, and names that change their answer."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.publisher.wire.addresses import Address, DialError, Resolver, lookup, permitted
from services.publisher.wire.answer import Answer, Fault
from services.publisher.wire.classify import Outcome, classify
from tests.publisher.wire.hostile_receiver import (
    OK,
    Peer,
    answers_all,
    black_hole,
    receiving,
    sending,
    until,
    wire_limits,
)

if TYPE_CHECKING:
    from tests.publisher.wire.conftest import Run

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


FORBIDDEN = [
    str(IPv4Address(0)),
    "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1",
    "127.255.255.254", "168.63.129.16", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255",
    "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1",
    "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::2", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::",
    "2001:db8::1", "2001:10::1", "2001:20::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2620:4f:8000::1",
    "3fff::1", "3fff:fff::1", "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0",
    "fec0::1", "ff02::1", "ff0e::1",
]  # fmt: skip

PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "114.114.114.114",
    "126.255.255.255", "128.0.0.0", "168.63.129.15", "172.15.255.255", "172.32.0.0", "192.0.1.0",
    "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
    "2001:200::1", "2400:3200::1", "2606:4700::1111", "2a00:1450::1", "3ffe::1",
]  # fmt: skip


@pytest.mark.parametrize("address", FORBIDDEN)
def test_special_addresses_are_forbidden(address: str) -> None:
    assert not permitted(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted(address: str) -> None:
    assert permitted(address)


@pytest.mark.parametrize(
    "address", ["", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "1.1.1.1 ", "[::1]"]
)
def test_what_is_no_address_is_forbidden(address: str) -> None:
    assert not permitted(address)


@unhurried
@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_no_ipv4_address_that_python_calls_special_is_permitted(address: IPv4Address) -> None:
    special = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    assert not (permitted(str(address)) and (special or address.is_reserved or address.is_unspecified))


@unhurried
@given(st.integers(0, 2**32 - 1))
def test_no_ipv4_address_passes_in_ipv6_clothes(number: int) -> None:
    for clothed in (
        number,  # compatible
        0xFFFF << 32 | number,  # mapped
        0x64FF9B << 96 | number,  # NAT64
        0x2002 << 112 | number << 80,  # 6to4
        0x20010000 << 96 | number,  # Teredo
    ):
        assert not permitted(str(IPv6Address(clothed)))


def test_allowed_networks_are_exceptions_and_nothing_more() -> None:
    allowed = (ip_network("10.1.0.0/16"), ip_network("fd00:1::/32"))
    assert permitted("10.1.2.3", allowed)
    assert permitted("fd00:1::5", allowed)
    assert permitted("8.8.8.8", allowed)
    for other in ("10.2.0.1", "127.0.0.1", "::ffff:10.1.2.3", "fd00:2::5"):
        assert not permitted(other, allowed)


ODD_LOOPBACK = ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1", "localhost"]


@pytest.mark.parametrize("host", ODD_LOOPBACK)
def test_odd_spellings_are_judged_by_what_they_resolve_to(run: Run, host: str) -> None:
    async def scenario() -> Answer:
        async def answers(peer: Peer) -> None:
            await peer.request()
            peer.send(OK)

        async with receiving(answers) as receiver:
            url = f"http://{host}:{receiver.port}/"
            async with sending(0, url=url, allowed_networks=()) as client:
                answer = await client.post()
            assert not receiver.peers
            return answer

    answer = run(scenario())
    assert answer[:3] == (None, Fault.ADDRESS_FORBIDDEN, False)
    assert classify(answer).outcome is Outcome.RETRYABLE


class Names:
    """A name server under the test's control: `answers` are given in turn, the last one for ever."""

    def __init__(self, *answers: list[str] | OSError) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, _: str, port: int) -> list[Address]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, OSError):
            raise answer
        return [
            Address(socket.AF_INET6, (a, port, 0, 0))
            if ip_address(a).version == 6
            else Address(socket.AF_INET, (a, port))
            for a in answer
        ]


def test_a_name_that_turns_inward_is_refused_at_the_next_connect(run: Run) -> None:
    """DNS rebinding. The first answer is the permitted network, the second the forbidden one."""

    async def scenario() -> None:
        async def answers(peer: Peer) -> None:
            await peer.request()
            peer.send(OK)

        async with receiving(answers) as receiver:
            names = Names(["127.0.0.1"], ["127.0.0.2"])
            limits = wire_limits(resolve_cache_seconds=0, allowed_networks=(ip_network("127.0.0.1/32"),))
            options = {"resolver": Resolver(limits, names)}
            url = f"http://credit.example:{receiver.port}/"
            async with sending(0, url=url, options=options, resolve_cache_seconds=0) as client:
                assert (await client.post("first")).status == 200
                await until(lambda: not client.sender._connections)
                assert (await client.post("rebound")).error == Fault.ADDRESS_FORBIDDEN
                assert len(receiver.peers) == 1
                assert names.asked == 2  # looked up once a connect: what was checked is what was connected to

    run(scenario())


def test_forbidden_addresses_of_a_name_are_left_out(run: Run) -> None:
    async def scenario() -> None:
        resolver = Resolver(wire_limits(), Names(["10.0.0.1", "127.0.0.1", "::ffff:127.0.0.1"]))
        assert await resolver.resolve("name", 80) == (Address(socket.AF_INET, ("127.0.0.1", 80)),)
        resolver.close()

    run(scenario())


def test_a_dead_address_does_not_hide_a_live_one(run: Run) -> None:
    async def scenario() -> None:
        async with receiving(answers_all) as receiver:
            resolver = Resolver(wire_limits(), Names(["127.0.0.9", "127.0.0.1"]))
            url = f"http://two.example:{receiver.port}/"
            async with sending(0, url=url, options={"resolver": resolver}) as client:
                assert (await client.post()).status == 200

    run(scenario())


def test_a_black_hole_leaves_time_for_the_next_address(run: Run) -> None:
    async def scenario() -> None:
        async with receiving(answers_all) as receiver:
            with black_hole("127.0.0.2", receiver.port):
                resolver = Resolver(wire_limits(), Names(["127.0.0.2", "127.0.0.1"]))
                url = f"http://two.example:{receiver.port}/"
                options = {"resolver": resolver}
                async with sending(0, url=url, options=options, connect_seconds=1) as client:
                    assert (await client.post()).status == 200

    run(scenario())


def test_all_addresses_together_have_the_connect_time(run: Run) -> None:
    async def scenario() -> float:
        hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
        with black_hole(hosts[0], 0) as port, black_hole(hosts[1], port), black_hole(hosts[2], port):
            options = {"resolver": Resolver(wire_limits(), Names(hosts))}
            url = f"http://dark.example:{port}/"
            async with sending(0, url=url, options=options, connect_seconds=0.9) as client:
                started = time.monotonic()
                assert (await client.post()).error == Fault.CONNECT_TIMEOUT
                return time.monotonic() - started

    assert 0.8 < run(scenario()) < 2.5


def test_an_address_that_failed_is_looked_up_again(run: Run) -> None:
    async def scenario() -> None:
        async with receiving(answers_all) as receiver:
            resolver = Resolver(wire_limits(resolve_cache_seconds=60), Names(["127.0.0.9"], ["127.0.0.1"]))
            url = f"http://moved.example:{receiver.port}/"
            async with sending(0, url=url, options={"resolver": resolver}) as client:
                assert (await client.post("first")).error == Fault.CONNECT_REFUSED
                assert (await client.post("second")).status == 200

    run(scenario())


def test_an_unknown_name_is_a_retryable_fault(run: Run) -> None:
    async def scenario() -> Answer:
        resolver = Resolver(wire_limits(), Names(socket.gaierror(socket.EAI_NONAME, "unknown")))
        async with sending(0, url="http://no.such.example/", options={"resolver": resolver}) as client:
            return await client.post()

    assert run(scenario())[:3] == (None, Fault.NAME_UNRESOLVED, False)


def test_a_hung_name_server_costs_its_own_destination_the_connect_time_and_one_thread(run: Run) -> None:
    async def scenario() -> None:
        release, asked = threading.Event(), []

        def hangs(host: str, port: int) -> list[Address]:
            if host == "hung.example":
                asked.append(host)
                release.wait(10)
            return [Address(socket.AF_INET, ("127.0.0.1", port))]

        async def answers(peer: Peer) -> None:
            await peer.request()
            peer.send(OK)

        limits = wire_limits(resolve_threads=2)
        resolver = Resolver(limits, hangs)
        async with receiving(answers) as receiver:
            hung: dict[str, Any] = {"url": "http://hung.example/", "connections": 8, "connect_seconds": 0.2}
            good = {"url": f"http://good.example:{receiver.port}/"}
            async with sending(0, options={"resolver": resolver}, **hung) as stuck:
                for number in range(8):
                    stuck.hand_in(number)
                async with sending(0, options={"resolver": resolver}, **good) as client:
                    assert (await client.post()).status == 200
                await until(lambda: len(stuck.answers) == 8)
                assert {answer.error for answer in stuck.answers.values()} == {Fault.NAME_UNRESOLVED}
                assert asked == ["hung.example"]
                release.set()

    run(scenario())


def test_an_address_is_kept_for_a_while_and_forgotten_when_it_fails(run: Run) -> None:
    async def scenario() -> None:
        names = Names(["127.0.0.1"])
        resolver = Resolver(wire_limits(resolve_cache_seconds=60), names)
        for _ in range(3):
            await resolver.resolve("name", 80)
        assert names.asked == 1
        resolver.forget("name", 80)
        await resolver.resolve("name", 80)
        assert names.asked == 2
        resolver.close()

    run(scenario())


def test_errors_are_not_kept(run: Run) -> None:
    async def scenario() -> None:
        names = Names(socket.gaierror(socket.EAI_AGAIN, "try again"), [], ["10.0.0.1"], ["127.0.0.1"])
        resolver = Resolver(wire_limits(resolve_cache_seconds=60), names)
        for fault in (Fault.NAME_UNRESOLVED, Fault.NAME_UNRESOLVED, Fault.ADDRESS_FORBIDDEN):
            with pytest.raises(DialError) as raised:
                await resolver.resolve("name", 80)
            assert raised.value.fault is fault
        assert len(await resolver.resolve("name", 80)) == 1
        resolver.close()

    run(scenario())


@pytest.mark.parametrize("host", ["x" * 64 + ".example", "a..b"])
def test_an_impossible_name_is_a_fault_not_an_exception(run: Run, host: str) -> None:
    async def scenario() -> None:
        resolver = Resolver(wire_limits())
        with pytest.raises(DialError) as raised:
            await resolver.resolve(host, 80)
        assert raised.value.fault is Fault.NAME_UNRESOLVED
        resolver.close()

    run(scenario())


def test_lookup_gives_stream_addresses() -> None:
    assert Address(socket.AF_INET, ("127.0.0.1", 80)) in lookup("127.0.0.1", 80)


def test_askers_that_give_up_leave_the_look_up_to_the_others(run: Run) -> None:
    async def scenario() -> None:
        release = threading.Event()

        def slow(host: str, port: int) -> list[Address]:
            release.wait(10)
            return [Address(socket.AF_INET, ("127.0.0.1", port))]

        resolver = Resolver(wire_limits(), slow)
        impatient = asyncio.create_task(resolver.resolve("name", 80))
        patient = asyncio.create_task(resolver.resolve("name", 80))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.wait([impatient])
        release.set()
        assert len(await patient) == 1
        resolver.close()

    run(scenario())
