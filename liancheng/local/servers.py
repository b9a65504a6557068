"""The servers of a stack: PostgreSQL with roles and tables, Kafka with topics, started side by side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING

from liancheng.embedded.kafka import EmbeddedKafka
from liancheng.embedded.postgres import EmbeddedPostgres
from liancheng.local import kafka_messages
from liancheng.local.database import EmbeddedDatabase, run_apart

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from liancheng.embedded.mock_kafka import MockKafka
    from liancheng.local.database import MigratedDatabase
    from liancheng.local.environment import Topics

Watch = Callable[[str], AbstractContextManager[object]]
"""Sees the steps of a start (`postgres`, `migrate`, `kafka`): entered and left in several threads at once."""


def unwatched(_step: str) -> AbstractContextManager[object]:
    return nullcontext()


class LocalServers:
    """`postgres` and `kafka` are None where somebody else runs them. All methods block."""

    def __init__(
        self,
        folder: Path,
        postgres: EmbeddedPostgres | MigratedDatabase | None,
        kafka: EmbeddedKafka | MockKafka | str | None,
        topics: Topics,
        watch: Watch,
    ) -> None:
        if postgres is None:
            postgres = EmbeddedPostgres(folder / "postgres")
        self.postgres = postgres if isinstance(postgres, EmbeddedPostgres) else None
        self._database = EmbeddedDatabase(postgres) if isinstance(postgres, EmbeddedPostgres) else postgres
        self._address = kafka if isinstance(kafka, str) else None
        self.kafka = None if isinstance(kafka, str) else kafka or EmbeddedKafka(folder / "kafka")
        self._topics = topics
        self._watch = watch
        self._starting: list[Future[None]] = []

    @property
    def role_dsns(self) -> Mapping[str, str]:
        return self._database.role_dsns

    @property
    def bootstrap(self) -> str:
        """`host:port` of Kafka; of the in-process broker only once it runs."""
        return self._address if self.kafka is None else self.kafka.bootstrap  # type: ignore[return-value]

    def begin(self) -> None:
        """Start both in the background; `database_ready` and `kafka_ready` wait for them."""
        threads = ThreadPoolExecutor(3, "local-stack")
        # A second of CPU that the servers' start hides.
        threads.submit(import_module, "schemas.database.migrate")
        self._starting = [threads.submit(self._start_database), threads.submit(self._start_kafka)]
        threads.shutdown(wait=False)

    def database_ready(self) -> None:
        """Wait until roles and tables are there: then brokers and publishers can be spawned."""
        self._starting[0].result()

    def kafka_ready(self) -> None:
        """Wait until the topics are there."""
        self._starting[1].result()

    def _start_database(self) -> None:
        if not isinstance(self._database, EmbeddedDatabase):
            return
        with self._watch("postgres"):
            self._database.server.start()
        with self._watch("migrate"):
            run_apart(self._database.prepare())

    def _start_kafka(self) -> None:
        with self._watch("kafka"):
            if self.kafka is not None:
                self.kafka.start()
            names = (self._topics.events, self._topics.verdicts)
            if self.kafka is None or self.kafka.answers_admin_requests:
                kafka_messages.create_topics(self.bootstrap, self._topics.partitions, *names)
            else:
                kafka_messages.touch_topics(self.bootstrap, *names)

    def stop(self, *, keep: bool) -> None:
        """End what was begun; idempotent. Unless `keep`, nobody wants the data, so nothing is tidied up."""
        wait(self._starting)  # a start that was interrupted goes on in its threads
        with ExitStack() as steps:
            if self.postgres is not None:
                steps.callback(self.postgres.stop, "fast" if keep else "immediate")
            if self.kafka is not None:
                steps.callback(self.kafka.stop if keep else self.kafka.kill)
