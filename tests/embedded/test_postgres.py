from __future__ import annotations

import asyncio
import stat
from functools import partial
from typing import TYPE_CHECKING

import asyncpg
import pytest

from liancheng.embedded.lifecycle import ServerStartError
from liancheng.embedded.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import PrivatePostgres

pytestmark = pytest.mark.asyncio


async def fetch(server: EmbeddedPostgres, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(server.superuser_dsn())
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_committed_rows_survive_restart_and_kill_on_the_same_port(
    private_postgres: PrivatePostgres,
) -> None:
    server = private_postgres()
    with pytest.raises(RuntimeError, match="is not running"):
        server.pause()
    server.start()
    port, pids = server.port, {server.pid}
    await fetch(server, "create table kept (n int)")
    restarts: list[Callable[[], None]] = [server.restart, partial(server.restart, "immediate"), server.kill]
    for restart in restarts:
        await fetch(server, "insert into kept select count(*) from kept")
        restart()
        server.start()
        pids.add(server.pid)
    assert await fetch(server, "select n from kept order by n") == [(0,), (1,), (2,)]
    assert server.port == port
    assert len(pids) == 4


async def test_several_run_at_once_with_settings_of_their_own(private_postgres: PrivatePostgres) -> None:
    one = private_postgres(shared_buffers="32MB", extra={"work_mem": "8MB"})
    two = private_postgres(max_connections=17)
    with one, two:
        assert one.port != two.port
        query = (
            "select current_setting('shared_buffers'), current_setting('work_mem'),"
            " current_setting('max_connections'), current_setting('fsync'),"
            " current_setting('server_version_num')::int / 10000"
        )
        assert await fetch(one, query) == [("32MB", "8MB", "200", "on", 18)]
        assert await fetch(two, query) == [("128MB", "4MB", "17", "on", 18)]


async def test_another_object_takes_up_the_same_data(private_postgres: PrivatePostgres) -> None:
    first = private_postgres()
    with first:
        await fetch(first, "create table kept (n int)")
    second = EmbeddedPostgres(first.log_file.parent)
    with second:
        assert await fetch(second, "select * from kept") == []


async def test_a_paused_server_answers_nothing_until_it_is_resumed(private_postgres: PrivatePostgres) -> None:
    with private_postgres() as server:
        connection = await asyncpg.connect(server.superuser_dsn())
        server.pause()
        with pytest.raises(TimeoutError):
            await asyncpg.connect(server.superuser_dsn(), timeout=0.2)
        waiting = asyncio.create_task(connection.fetchval("select 1"))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        server.resume()
        assert await waiting == 1
        await connection.close()


async def test_only_the_password_opens_it(private_postgres: PrivatePostgres) -> None:
    with private_postgres() as server:
        dsn = server.superuser_dsn()
        (password_file,) = server.log_file.parent.glob("*.password")
        assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
        assert password_file.read_text() in dsn
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(dsn.replace(password_file.read_text(), "wrong"))
        socket_dir = server.socket_dir
        assert socket_dir is not None
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(
                host=str(socket_dir), port=server.port, user="postgres", database="postgres", password="wrong"
            )


async def test_a_failed_start_shows_the_log_and_leaves_nothing(private_postgres: PrivatePostgres) -> None:
    server = private_postgres(extra={"shared_buffers": "much"})
    with pytest.raises(ServerStartError, match='invalid value for parameter "shared_buffers"'):
        server.start()
    assert not server.is_running()


async def test_a_half_made_cluster_is_made_anew(private_postgres: PrivatePostgres) -> None:
    server = private_postgres()
    torso = server.log_file.parent / "cluster.partial"
    torso.mkdir(parents=True)
    (torso / "PG_VERSION").write_text("18\n")
    server.log_file.parent.chmod(0o711)
    with server:
        assert await fetch(server, "select 1") == [(1,)]
    assert not torso.exists()
