"""Runs the demo: start everything, play the story, report, wait for Ctrl-C, leave nothing behind."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from confluent_kafka import KafkaException

from liancheng.demo.expectations import read_destinations, read_events
from liancheng.demo.interruption import Interrupted, interruptible
from liancheng.demo.narrator import Narrator
from liancheng.demo.progress import Display
from liancheng.demo.report import show
from liancheng.demo.result import Look, Result, as_json
from liancheng.demo.story import Story
from liancheng.embedded.event_bus import embedded_event_bus
from liancheng.embedded.jars import KAFKA_VERSION
from liancheng.embedded.kafka import EmbeddedKafka
from liancheng.embedded.mock_kafka import LACKS, MockKafka
from liancheng.local import LocalStack
from liancheng.local.client import Client
from liancheng.local.folder import disposable_folder
from services.broker.api.scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from liancheng.demo.expectations import Expectations
    from liancheng.demo.settings import DemoSettings
    from liancheng.local import ServiceProcess, SimulatorProcess

HELD, NOT_HELD = 0, 1
_SCOPES: Final = (Scope.CHECK, Scope.FEED, Scope.RECORDS, Scope.AUDIT)
_WATCH_S: Final = 0.5


class DemoError(RuntimeError):
    """The demo cannot run; the message says why."""


class Running(NamedTuple):
    """What the story needs of a stack whose services are ready."""

    simulator: SimulatorProcess
    api: Client
    token: str


class Demo:
    """One run. `once`: end after the report; `to_json`: the report is one JSON object on standard output."""

    def __init__(
        self, settings: DemoSettings, expectations: Expectations, *, once: bool, to_json: bool
    ) -> None:
        self._settings = settings
        self._expectations = expectations
        self._once = once
        self._to_json = to_json
        self._display = Display(to_stderr=to_json, started=time.monotonic())

    def run(self) -> int:
        """The exit code: HELD if every expectation held. RuntimeError or OSError if the stack can't start."""
        display = self._display
        try:
            with interruptible() as interruption, _folder(self._settings.keep) as folder:
                stack = self._stack(folder)
                with display:
                    try:
                        return self._perform(stack)
                    finally:
                        interruption.ending()
                        with display.step("stop"):
                            stack.stop()
        except KafkaException as error:
            raise DemoError(f"Kafka: {error}") from error
        except Interrupted as interrupted:
            display.say(f"[yellow]中断 interrupted[/yellow] ({interrupted})")
            return interrupted.exit_code

    def _stack(self, folder: Path) -> LocalStack:
        """Fetches Kafka's jars if need be, with a progress bar of its own."""
        kafka: EmbeddedKafka | MockKafka
        match self._settings.kafka:
            case "apache":
                kafka = EmbeddedKafka(folder / "kafka")
            case "mock":
                kafka = MockKafka(folder / "kafka")
            case "auto":
                kafka = embedded_event_bus(folder / "kafka")
        names = {"kafka": "mock_kafka"} if isinstance(kafka, MockKafka) else {}
        return LocalStack(
            folder,
            kafka=kafka,
            keep=self._settings.keep is not None,
            watch=lambda step: self._display.step(names.get(step, step)),
        )

    def _perform(self, stack: LocalStack) -> int:
        destinations = read_destinations()
        running = self._start(stack, destinations)
        ready_seconds = self._display.seconds
        names = {entry["code"]: (entry["name_zh"], entry["name_en"]) for entry in destinations}
        story = Story(
            stack,
            running.api,
            running.simulator,
            Narrator(self._display, {code: zh for code, (zh, _) in names.items()}),
            verdict_seconds=self._settings.verdict_seconds,
            delivery_seconds=self._settings.delivery_seconds,
        )
        events = read_events()
        result = Result(
            expectations=self._expectations,
            events=events,
            destinations=names,
            seen=story.play(self._expectations, events),
            kafka=_kafka_name(stack),
            ready_seconds=ready_seconds,
            seconds=self._display.seconds,
            look=None if self._once else _look(stack, running),
        )
        self._report(result)
        if not self._once and not self._wait(stack.services):
            return NOT_HELD
        return NOT_HELD if result.mismatches else HELD

    def _start(self, stack: LocalStack, destinations: Sequence[Mapping[str, Any]]) -> Running:
        """Each service as early as it can be of use: they load while the servers start."""
        display = self._display
        simulator, simulator_step = stack.spawn_simulator(), display.begin("simulator")
        stack.servers.begin()
        stack.servers.database_ready()
        stack.load_destinations(destinations)
        publisher, publisher_step = stack.spawn_publisher(), display.begin("publisher")
        token = stack.create_key(*_SCOPES)
        if isinstance(stack.kafka, MockKafka):
            stack.servers.kafka_ready()  # before that it has no address
            display.say(f"[bold yellow]不是 Apache Kafka! Not Apache Kafka:[/bold yellow] it {LACKS}")
        broker, broker_step = stack.spawn_broker(), display.begin("broker")
        stack.servers.kafka_ready()
        starting = ((simulator, simulator_step), (publisher, publisher_step), (broker, broker_step))
        for service, step in starting:
            service.ready(self._settings.ready_seconds)
            display.done(step)
        return Running(simulator, Client(broker.url, token), token)

    def _report(self, result: Result) -> None:
        if self._to_json:
            print(orjson.dumps(as_json(result)).decode(), flush=True)
        else:
            show(result, self._display.console)

    def _wait(self, services: Sequence[ServiceProcess]) -> bool:
        """Until somebody wants it to end; False if a service ended before."""
        try:
            while all(service.is_running() for service in services):
                time.sleep(_WATCH_S)
        except Interrupted:
            return True
        for service in services:
            if not service.is_running():
                self._display.say(f"[red]{service.name} 意外结束 ended by itself[/red] {service.log_path}")
        return False


def _look(stack: LocalStack, running: Running) -> Look:
    return Look(
        api=running.api.base_url,
        receivers=f"{running.simulator.url}/",
        token=running.token,
        folder=str(stack.folder),
        operator_file=str(stack.write_operator_file()),
    )


def _folder(keep: Path | None) -> AbstractContextManager[Path]:
    return disposable_folder("liancheng-demo-") if keep is None else _kept(keep.absolute())


@contextmanager
def _kept(folder: Path) -> Iterator[Path]:
    """DemoError if there is something in it: the roles' passwords in an old cluster would be others."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise DemoError(f"{folder} is not empty")
    yield folder


def _kafka_name(stack: LocalStack) -> str:
    return f"Apache Kafka {KAFKA_VERSION}" if isinstance(stack.kafka, EmbeddedKafka) else "librdkafka mock"
