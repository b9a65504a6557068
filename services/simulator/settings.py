"""The simulator's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.runtime.logs import LogFormat  # noqa: TC001  pydantic reads it at run time
from services.runtime.settings import ServiceSettings


class SimulatorSettings(ServiceSettings):
    """One process stands in for all receivers; `LIANCHENG_SIMULATOR_<NAME>` in the environment."""

    model_config = SettingsConfigDict(env_prefix="LIANCHENG_SIMULATOR_")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(
        9080,
        ge=0,
        le=65_535,
        description="port to listen on; 0: a free one, told on the first line of output",
    )
    database: Path = Field(
        Path("simulator.sqlite3"), description="SQLite file of what arrived and what is held; made if missing"
    )
    receivers_file: Path | None = Field(
        None,
        description="JSON list of {code, name_zh, name_en, secret}; default: the nine built-in receivers",
    )
    secret: SecretStr | None = Field(
        None, description="whsec_<base64>: signing secret of all nine receivers when there is no file"
    )
    admin_token: SecretStr | None = Field(
        None, description="bearer token of /admin; without one nobody can set faults"
    )
    seed: int | None = Field(
        None, description="seed of the fault draws, a sequence of its own for each receiver; default: random"
    )
    synchronous: Literal["NORMAL", "FULL"] = Field(
        "NORMAL",
        description="SQLite's durability: NORMAL survives a killed process, which is what is tested here;"
        " FULL a power cut too, at an fsync a commit, taken from the PostgreSQL beside it",
    )
    commit_rows: int = Field(
        500,
        gt=0,
        description="arrivals in one commit at most, so that a burst can't hold back its first answers",
    )

    max_body_bytes: int = Field(
        1_048_576, gt=0, description="bytes of a body, a larger one gets 413; a push has about a thousand"
    )
    max_head_bytes: int = Field(
        16_384, ge=256, description="bytes of target and headers together, more get 431"
    )
    max_connections: int = Field(
        2_048, gt=0, description="connections at once, further ones are reset: bounds memory and descriptors"
    )
    max_pipelined: int = Field(
        64, gt=0, description="requests of one connection that may wait for answers before reading pauses"
    )
    receive_timeout_seconds: float = Field(
        30.0, gt=0, description="s for one request to arrive in full, and for the client to take an answer"
    )
    keep_alive_seconds: float = Field(
        75.0, gt=0, description="s until an idle connection is closed; as nginx does by default"
    )
    drain_seconds: float = Field(
        5.0, ge=0, description="s that a stop waits for the answers that are owed; then connections are reset"
    )
    page_limit: int = Field(1_000, gt=0, description="items of a page when `limit` is not given")
    page_limit_max: int = Field(
        10_000, gt=0, description="largest `limit`; a larger one is an error, never a shorter answer"
    )

    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    log_format: LogFormat = Field("json", description="json or console")
