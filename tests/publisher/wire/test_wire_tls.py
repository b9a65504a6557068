"""TLS with an authority made for the test: the right name, and everything that is wrong."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.publisher.wire.addresses import Address, Resolver
from services.publisher.wire.answer import Answer, Fault
from services.publisher.wire.dial import tls_context
from services.publisher.wire.sender import HttpSender
from services.publisher.wire.target import Target
from tests.publisher.wire.hostile_receiver import OK, Peer, receiving, sending, until, wire_limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.publisher.wire.conftest import Run

NOW = dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class Authority:
    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def file(self) -> Path:
        return self.folder / "ca.pem"

    def server(self, name: str, *, days: int = 1) -> ssl.SSLContext:
        """A server context with a certificate for `name`, which ends `days` from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        san = x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
        certificate = (
            _builder(name, self.certificate.subject, key.public_key(), NOW + dt.timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([san]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        file = self.folder / f"{name}.{days}.pem"
        file.write_bytes(_pem(certificate) + _pem_key(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _builder(
    name: str, issuer: x509.Name | None, key: ec.EllipticCurvePublicKey, until_: dt.datetime
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - dt.timedelta(days=10))
        .not_valid_after(until_)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder("A test authority", None, key.public_key(), NOW + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Authority(tmp_path_factory.mktemp("authority"), key, certificate)
    made.file.write_bytes(_pem(certificate))
    return made


def to_loopback(host: str, port: int) -> list[Address]:
    return [Address(2, ("127.0.0.1", port))]


async def answers(peer: Peer) -> None:
    while True:
        await peer.request()
        peer.send(OK)


async def post(
    tls: ssl.SSLContext,
    authority: Authority,
    host: str,
    script: Callable[[Peer], Awaitable[None]] = answers,
    requests: int = 1,
    ca: bool = True,
) -> tuple[list[Answer], int]:
    limits = wire_limits(ca_file=authority.file if ca else None)
    options = {"resolver": Resolver(limits, to_loopback), "tls": tls_context(limits)}
    async with receiving(script, tls) as receiver:
        async with sending(0, url=f"https://{host}:{receiver.port}/hook", options=options) as client:
            got = [await client.post(number) for number in range(requests)]
            assert not any(peer.received and not answer.written for peer in receiver.peers for answer in got)
        return got, len(receiver.peers)


@pytest.mark.parametrize("host", ["credit.example", "127.0.0.1"])
def test_the_right_name_is_delivered_to_over_one_connection(
    run: Run, authority: Authority, host: str
) -> None:
    got, connections = run(post(authority.server(host), authority, host, requests=5))
    assert [(answer.status, answer.error, answer.body) for answer in got] == [(200, None, b"ok")] * 5
    assert connections == 1


@pytest.mark.parametrize(
    ("certified", "days", "ca"),
    [
        pytest.param("other.example", 1, True, id="another name"),
        pytest.param("sub.credit.example", 1, True, id="a name below"),
        pytest.param("127.0.0.1", 1, True, id="the address instead of the name"),
        pytest.param("credit.example", -1, True, id="expired"),
        pytest.param("credit.example", 1, False, id="an authority that nobody trusts"),
    ],
)
def test_a_wrong_certificate_is_refused_before_a_byte(
    run: Run, authority: Authority, certified: str, days: int, ca: bool
) -> None:
    tls = authority.server(certified, days=days)
    [answer], _ = run(post(tls, authority, "credit.example", ca=ca))
    assert answer[:3] == (None, Fault.TLS_FAILED, False)


def test_an_outdated_protocol_is_refused(run: Run, authority: Authority) -> None:
    tls = authority.server("credit.example")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        tls.maximum_version = ssl.TLSVersion.TLSv1_1
    [answer], _ = run(post(tls, authority, "credit.example"))
    assert answer[:3] == (None, Fault.TLS_FAILED, False)


def test_plain_http_behind_https_is_a_tls_fault(run: Run, authority: Authority) -> None:
    async def scenario() -> Answer:
        async def plain(peer: Peer) -> None:
            peer.send(OK)
            await peer.gone()

        limits = wire_limits(ca_file=authority.file)
        options = {"resolver": Resolver(limits, to_loopback), "tls": tls_context(limits)}
        async with (
            receiving(plain) as receiver,
            sending(0, url=f"https://credit.example:{receiver.port}/", options=options) as client,
        ):
            return await client.post()

    assert run(scenario())[:3] == (None, Fault.TLS_FAILED, False)


def test_a_handshake_that_never_ends_times_out(run: Run, authority: Authority) -> None:
    async def scenario() -> Answer:
        async def silent(peer: Peer) -> None:
            await peer.gone()

        limits = wire_limits(ca_file=authority.file)
        options = {"resolver": Resolver(limits, to_loopback), "tls": tls_context(limits)}
        async with receiving(silent) as receiver:
            url = f"https://credit.example:{receiver.port}/"
            async with sending(0, url=url, options=options, connect_seconds=0.3) as client:
                return await client.post()

    assert run(scenario())[:3] == (None, Fault.CONNECT_TIMEOUT, False)


@pytest.mark.parametrize("orderly", [True, False])
def test_an_answer_without_length_needs_the_orderly_end(
    run: Run, authority: Authority, orderly: bool
) -> None:
    """A bare end of the TCP stream, which anyone on the way can forge, is a truncation."""

    async def scenario() -> Answer:
        half_read = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\n\r\nsome of it")
            if not orderly:
                await half_read.wait()
                peer.sever()
                await peer.gone()

        limits = wire_limits(ca_file=authority.file)
        options = {"resolver": Resolver(limits, to_loopback), "tls": tls_context(limits)}
        async with receiving(script, authority.server("credit.example")) as receiver:
            url = f"https://credit.example:{receiver.port}/"
            async with sending(0, url=url, options=options) as client:
                client.hand_in("only")
                await until(
                    lambda: (
                        bool(client.answers) or any(c._reader.received for c in client.sender._connections)
                    )
                )
                half_read.set()
                return await client.answer("only")

    answer = run(scenario())
    assert (answer.status, answer.body, answer.written) == (200, b"some of it", True)
    assert answer.error is (None if orderly else Fault.ANSWER_TRUNCATED)


def test_idle_tls_connections_close(run: Run, authority: Authority) -> None:
    async def scenario() -> None:
        limits = wire_limits(ca_file=authority.file)
        options = {"resolver": Resolver(limits, to_loopback), "tls": tls_context(limits)}
        async with receiving(answers, authority.server("credit.example")) as receiver:
            url = f"https://credit.example:{receiver.port}/"
            async with sending(0, url=url, options=options, idle_seconds=0.1) as client:
                assert (await client.post()).status == 200
                await until(lambda: not client.sender._connections)

    run(scenario())


def test_an_https_target_without_a_context_is_a_mistake(run: Run) -> None:
    async def scenario() -> None:
        limits = wire_limits()
        resolver = Resolver(limits)
        with pytest.raises(ValueError, match="TLS"):
            HttpSender(Target.parse("https://x.example/"), limits, lambda _, __: None, resolver=resolver)
        resolver.close()

    run(scenario())
