"""The demo's settings."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  pydantic reads it at run time
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from liancheng.demo.expectations import EXPECTATIONS
from services.runtime.settings import ServiceSettings


class DemoSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="LIANCHENG_DEMO_")

    kafka: Literal["auto", "apache", "mock"] = Field(
        "auto",
        description="apache: the embedded Apache Kafka; mock: librdkafka's in-process broker; auto: apache if"
        " its jars can be had, else mock, saying so",
    )
    keep: Path | None = Field(
        None, description="folder, new or empty, for data and logs, which stay there; default: a passing one"
    )
    expectations: Path = Field(EXPECTATIONS, description="TOML file of what must come of each event")
    ready_seconds: float = Field(
        60.0, gt=0, description="s for a service to be ready: a loaded machine is some seconds over imports"
    )
    verdict_seconds: float = Field(
        30.0, gt=0, description="s to wait for verdicts before a missing one counts as missing"
    )
    delivery_seconds: float = Field(
        30.0, gt=0, description="s to wait for deliveries before an open one counts as open"
    )
