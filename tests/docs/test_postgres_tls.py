"""TLS to PostgreSQL is a matter of the URL, for the services and for `liancheng migrate` alike.

The embedded PostgreSQL is built without TLS, so a proxy stands before it that speaks PostgreSQL's own
prelude (SSLRequest, protocol 3.0 §55.2.10), then TLS, and hands the rest on.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from schemas.database import migrate
from services.runtime.postgres import DatabaseLimits, connect_pool
from tests.docs.certificates import Certificate, for_localhost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.stack import TestDatabase

pytestmark = pytest.mark.asyncio
SSL_REQUEST = bytes.fromhex("00000008 04d2162f")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while found := await reader.read(65_536):
            writer.write(found)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def tls_before(dsn: str, certificate: Certificate) -> AsyncIterator[int]:
    """The port of a TLS proxy before the server of `dsn`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain)
    target = urlsplit(dsn)
    under_way: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        try:
            assert await reader.readexactly(len(SSL_REQUEST)) == SSL_REQUEST
            writer.write(b"S")
            await writer.start_tls(context)
            inner_reader, inner_writer = await asyncio.open_connection(target.hostname, target.port)
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        except (OSError, ssl.SSLError):
            pass  # a client that does not trust us goes away in the handshake
        finally:
            writer.close()
            under_way.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*under_way, return_exceptions=True)


def through(dsn: str, port: int, query: str, host: str = "localhost") -> str:
    parts = urlsplit(dsn)
    netloc = f"{parts.username}:{parts.password}@{host}:{port}"
    return urlunsplit(parts._replace(netloc=netloc, query=query))


async def test_a_verified_name_lets_services_and_migrator_in(database: TestDatabase, tmp_path: Path) -> None:
    certificate = for_localhost(tmp_path)
    query = f"sslmode=verify-full&sslrootcert={certificate.authority}"
    async with tls_before(database.superuser_dsn, certificate) as port:
        head = migrate.newest_revision()
        assert await migrate.upgrade(through(database.migrator_dsn, port, query)) == (head, head)
        for dsn in (database.broker_dsn, database.publisher_dsn, database.api_dsn):
            pool = await connect_pool(through(dsn, port, query), "test", max_size=1)
            assert await pool.fetchval("select feed from sequence_head") == 0
            await pool.close()


async def test_another_name_and_an_unknown_authority_are_refused(
    database: TestDatabase, tmp_path: Path
) -> None:
    known, stranger = for_localhost(tmp_path, "db.example"), for_localhost(tmp_path)
    query = f"sslmode=verify-full&sslrootcert={known.authority}"
    for certificate in (known, stranger):  # the wrong name; the right name of an unknown authority
        async with tls_before(database.superuser_dsn, certificate) as port:
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncpg.connect(through(database.broker_dsn, port, query))


async def test_without_tls_on_the_server_a_url_that_asks_for_it_does_not_connect(
    database: TestDatabase,
) -> None:
    port = urlsplit(database.broker_dsn).port
    assert port is not None
    dsn = through(database.broker_dsn, port, "sslmode=require", host="127.0.0.1")
    with pytest.raises(ConnectionError):
        await connect_pool(dsn, "test", max_size=1, limits=DatabaseLimits(connect_patience_s=0.1))
