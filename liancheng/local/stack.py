"""The whole stack on this machine: servers, roles, tables, topics, and the services as processes."""

from __future__ import annotations

import os
import secrets
import shlex
from base64 import b64encode
from collections import defaultdict
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Self

import asyncpg
import orjson

from liancheng.commands.destination import DestinationEntry, load
from liancheng.local import kafka_messages
from liancheng.local.database import run_apart
from liancheng.local.environment import (
    SIMULATOR_PREFIX,
    Audience,
    Topics,
    Wiring,
    as_variables,
    process_environment,
)
from liancheng.local.kafka_messages import RawMessage, VerdictReader
from liancheng.local.servers import LocalServers, Watch, unwatched
from liancheng.local.service_process import STOP_TIMEOUT_S, ServiceProcess
from liancheng.local.simulator import SimulatorProcess
from schemas.database import roles
from services.broker.api import key_store
from services.runtime.sealing import new_key
from services.runtime.settings import PREFIX
from services.simulator.receivers import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from liancheng.embedded.kafka import EmbeddedKafka
    from liancheng.embedded.mock_kafka import MockKafka
    from liancheng.embedded.postgres import EmbeddedPostgres
    from liancheng.local.database import MigratedDatabase
    from services.broker.api.scopes import Scope

_SECRET_BYTES: Final = 32


class LocalStack:
    """See the package for how it is used. All methods block; start and stop it once."""

    def __init__(
        self,
        folder: Path,
        *,
        postgres: EmbeddedPostgres | MigratedDatabase | None = None,
        kafka: EmbeddedKafka | MockKafka | str | None = None,
        topics: Topics | None = None,
        keep: bool = False,
        watch: Watch = unwatched,
    ) -> None:
        """`folder` is one that PostgreSQL's user can enter (`scratch_folder`).

        `postgres`: a server to run here; or a migrated database, left as it is. `kafka`: a server to run
        here; or the address of one that runs, left as it is. None: an embedded one of our own. `keep` means
        that somebody wants the data afterwards: without it the servers are not given time to tidy up.
        """
        self.folder = folder
        self.topics = topics or Topics()
        self.keep = keep
        self.data_key = new_key()
        self.admin_token = secrets.token_urlsafe()
        self.services: list[ServiceProcess] = []
        self.servers = LocalServers(folder, postgres, kafka, self.topics, watch)
        self.postgres, self.kafka = self.servers.postgres, self.servers.kafka
        self._secrets: defaultdict[str, str] = defaultdict(_new_signing_secret)

    def start(self) -> Self:
        """Start the servers; then roles, tables and topics are there, and no service runs yet.

        ServerStartError if one does not come up; `stop` ends what runs then.
        """
        self.servers.begin()
        self.servers.database_ready()
        self.servers.kafka_ready()
        return self

    def stop(self) -> None:
        """Services first, by SIGTERM and all at once, then the servers. Idempotent, whatever was started."""
        with ExitStack() as steps:
            steps.callback(self.servers.stop, keep=self.keep)
            for service in self.services:
                steps.callback(service.stop, STOP_TIMEOUT_S)
            for service in self.services:
                service.ask_to_stop()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """`host:port` of Kafka."""
        return self.servers.bootstrap

    def dsn(self, role: str) -> str:
        """The connection URI of one of `schemas.database.roles`; without prefix (`publisher`) will do."""
        return self.servers.role_dsns[f"liancheng_{role.removeprefix('liancheng_')}"]

    # Services -------------------------------------------------------------------------------------------

    def spawn_broker(self, **settings: object) -> ServiceProcess:
        """A further broker, not waited for (`.ready()`); `settings` are those of `liancheng broker`."""
        return self._spawn("broker", "api_port", settings)

    def spawn_publisher(self, wire: Mapping[str, object] | None = None, **settings: object) -> ServiceProcess:
        """A further publisher, not waited for; `settings` are those of `liancheng publisher`.

        Unlike by default, it may push to this machine (`wire["allowed_networks"]`).
        """
        wire = {"allowed_networks": ["127.0.0.0/8"], **(wire or {})}
        return self._spawn("publisher", "health_port", {"wire": wire, **settings})

    def spawn_simulator(
        self, receivers: Sequence[str] = tuple(NAMES), **settings: object
    ) -> SimulatorProcess:
        """A simulator of these receivers, not waited for; each has the signing secret `secret(code)`."""
        name = self._next_name("simulator")
        listed = [
            {"code": code, "secret": self.secret(code)}
            | dict(zip(("name_zh", "name_en"), NAMES.get(code, (code, code)), strict=True))
            for code in receivers
        ]
        receivers_file = self.folder / f"{name}.receivers.json"
        _write_private(receivers_file, orjson.dumps(listed))
        database = self.folder / f"{name}.sqlite3"
        given = {
            "receivers_file": receivers_file,
            "database": database,
            "admin_token": self.admin_token,
            **settings,
        }

        def environment(port: int) -> dict[str, str]:
            return self._environment(as_variables(SIMULATOR_PREFIX, {"port": port, **given}))

        log_path = self.folder / "logs" / f"{name}.log"
        service = SimulatorProcess(name, log_path, environment, tuple(receivers), self.admin_token)
        self.services.append(service)
        service.start()
        return service

    def _spawn(self, command: Audience, port_setting: str, settings: Mapping[str, object]) -> ServiceProcess:
        name = self._next_name(command)

        def environment(port: int) -> dict[str, str]:
            return self.environment(command, **{port_setting: port, **settings})

        service = ServiceProcess(name, command, self.folder / "logs" / f"{name}.log", environment)
        self.services.append(service)
        return service.start()

    def _next_name(self, command: str) -> str:
        return f"{command}-{1 + sum(service.name.startswith(command) for service in self.services)}"

    def environment(self, audience: Audience = "operator", **settings: object) -> dict[str, str]:
        """All variables for a process: for a service what it needs, for an `operator` every role's URL."""
        wiring = Wiring(self.servers.role_dsns, self.bootstrap, self.topics, self.data_key)
        return self._environment(wiring.variables(audience) | as_variables(PREFIX, settings))

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        return process_environment(variables, self.folder / "no-secrets")

    def write_operator_file(self) -> Path:
        """A file for `source`, readable by its owner only, after which `liancheng …` acts on this stack."""
        file = self.folder / "operator.env"
        lines = [
            f"export {name}={shlex.quote(value)}\n"
            for name, value in self.environment(simulator_admin_token=self.admin_token).items()
            if name.startswith(PREFIX)
        ]
        _write_private(file, "".join(lines).encode())
        return file

    # Data -----------------------------------------------------------------------------------------------

    def secret(self, code: str) -> str:
        """The signing secret of a receiver: made when first asked for, then always the same."""
        return self._secrets[code]

    def load_destinations(
        self, entries: Iterable[Mapping[str, Any]], simulator: SimulatorProcess | None = None
    ) -> None:
        """Create or change destinations; `entries` as in the file of `liancheng destination load`.

        What an entry leaves out: its `secret` is `secret(code)`, its `url` the receiver of that code at
        `simulator` (default: the first), its names are the code. ValidationError for an entry that is wrong.
        """
        known = simulator or next((s for s in self.services if isinstance(s, SimulatorProcess)), None)
        loaded = [DestinationEntry.model_validate(self._entry(entry, known)) for entry in entries]
        run_apart(load(self.dsn(roles.MIGRATOR), self.data_key, loaded))

    def _entry(self, entry: Mapping[str, Any], simulator: SimulatorProcess | None) -> dict[str, Any]:
        code = entry["code"]
        usual = {"name_zh": code, "name_en": code, "secret": self.secret(code)}
        if simulator is not None:
            usual["url"] = f"{simulator.url}/{code}"
        return {**usual, **entry}

    def create_key(self, *scopes: Scope, areas: Sequence[str] = (), regions: Sequence[str] = ()) -> str:
        """A new API key's token."""
        key = key_store.NewKey("local stack", scopes, tuple(areas), tuple(regions))

        async def create() -> str:
            connection = await asyncpg.connect(self.dsn(roles.MIGRATOR))
            try:
                return (await key_store.create_key(connection, key)).text()
            finally:
                await connection.close()

        return run_apart(create())

    def emit(self, events: Iterable[Mapping[str, Any] | RawMessage]) -> int:
        """Send to the events topic, CloudEvents in structured mode; how many. Returns when Kafka has all."""
        messages = (
            event if isinstance(event, RawMessage) else kafka_messages.structured(event) for event in events
        )
        return kafka_messages.produce(self.bootstrap, self.topics.events, messages)

    def produced(self) -> int:
        """How many messages the events topic was ever given."""
        return kafka_messages.produced(self.bootstrap, self.topics.events)

    def verdicts(self) -> VerdictReader:
        """A reader of the verdicts topic from its beginning; the caller closes it."""
        return VerdictReader(self.bootstrap, self.topics.verdicts)


def _new_signing_secret() -> str:
    return "whsec_" + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _write_private(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
