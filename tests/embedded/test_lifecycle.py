"""What every embedded server promises, asked of each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from liancheng.embedded.kafka import EmbeddedKafka
from liancheng.embedded.mock_kafka import MockKafka
from liancheng.embedded.postgres import EmbeddedPostgres
from liancheng.embedded.scratch import scratch_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

Server = EmbeddedKafka | EmbeddedPostgres | MockKafka


@pytest.fixture(params=[EmbeddedPostgres, EmbeddedKafka, MockKafka])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with scratch_folder() as folder:
        made: Server = request.param(folder / "data")
        yield made
        made.stop()


def test_stop_is_safe_before_start_and_twice_and_start_twice_is_one_start(server: Server) -> None:
    server.stop()
    assert not server.is_running()
    with server:
        first = server.pid
        server.start()
        assert server.pid == first
        assert server.is_running()
    assert not server.is_running()
    server.stop()
    with pytest.raises(RuntimeError, match="is not running"):
        _ = server.pid
