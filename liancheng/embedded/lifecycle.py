"""What every embedded server has in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from types import TracebackType


class EmbeddedServer(Protocol):
    """A server that lives and dies with this process.

    `start` returns once the server answers, `stop` once it is gone. Both are idempotent, and `stop` is safe
    before `start`.
    """

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class KafkaServer(EmbeddedServer, Protocol):
    """A server that speaks the Kafka protocol."""

    answers_admin_requests: bool
    """Whether topics can be made and described; where not, any topic comes into being on first use."""

    @property
    @abstractmethod
    def bootstrap(self) -> str:
        """`host:port`, for `bootstrap_servers`."""


class ServerStartError(RuntimeError):
    """The server ended, or did not answer in time; the message carries the end of its log."""
