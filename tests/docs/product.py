"""What the product has: what the documents are held against."""

from __future__ import annotations

import contextlib
import importlib
import io
import pkgutil
import re
import tomllib
from functools import cache
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

import liancheng
import services
from liancheng import command
from services.broker import metrics
from services.broker.api.gate import RequestMetrics
from services.publisher.metrics import PublisherMetrics
from services.runtime.settings import ServiceSettings, fields_of, prefix_of
from tests.docs.pages import ROOT

CODE = ("services", "schemas", "liancheng", "tests", "tools")
_SUFFIXES = {".py", ".toml", ".sql", ".json"}


@cache
def options_of(*words: str) -> tuple[frozenset[str], frozenset[str]]:
    """Verbs and options that `liancheng WORDS --help` explains."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        command.main([*words, "--help"])
    text = out.getvalue()
    verbs = re.search(r"\{([a-z,]+)\}", text)
    return frozenset(verbs[1].split(",") if verbs else ()), frozenset(re.findall(r"--[a-z][a-z-]*", text))


@cache
def make_targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


@cache
def _settings_classes() -> tuple[type[ServiceSettings], ...]:
    for package in (services, liancheng):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if re.search(r"settings$|options$|\.commands\.", module.name):
                importlib.import_module(module.name)
    found, waiting = [], [ServiceSettings]
    while waiting:
        waiting += (one := waiting.pop()).__subclasses__()
        found.append(one)
    return tuple(found)


@cache
def settings_defaults() -> dict[str, Any]:
    """Variable → default, of every setting there is; None for one that is required."""
    return {
        prefix_of(settings) + "__".join(path).upper(): (
            None if field.is_required() else field.get_default(call_default_factory=True)
        )
        for settings in _settings_classes()
        for path, field in fields_of(settings)
    }


@cache
def environment_names() -> frozenset[str]:
    """Every LIANCHENG_ variable that anything reads: settings, what code asks for, signing secrets."""
    asked = re.findall(r'environ(?:\.get\(|\[)"(LIANCHENG_\w+)"', source())
    entries = tomllib.loads((ROOT / "deploy/destinations.toml").read_text("utf-8"))["destinations"]
    return frozenset({*settings_defaults(), *asked, *(entry["secret_env"] for entry in entries)})


@cache
def source() -> str:
    files = (path for folder in CODE for path in sorted((ROOT / folder).rglob("*")))
    return "\n".join(
        path.read_text("utf-8")
        for path in files
        if path.suffix in _SUFFIXES and not path.is_relative_to(ROOT / "tests" / "docs")
    )


@cache
def exposed_metrics() -> dict[str, set[str]]:
    """Name as alarms are written with it → its labels; without the process's own."""
    wrappers = [*vars(metrics).values(), *vars(RequestMetrics(CollectorRegistry())).values()]
    described = [
        (family, set(wrapper._labelnames))
        for wrapper in wrappers
        if isinstance(wrapper, MetricWrapperBase)
        for family in wrapper.describe()
    ]
    of_publisher = PublisherMetrics()
    of_publisher.of_destination("X")
    described += [
        (family, {label for sample in family.samples for label in sample.labels} - {"le"})
        for family in of_publisher.collect()
    ]
    return {
        f"{family.name}_total" if family.type == "counter" else family.name: labels
        for family, labels in described
    }


@cache
def log_events() -> frozenset[str]:
    return frozenset(re.findall(r'log\.(?:info|warning|error|critical|exception)\(\s*"(\w+)"', source()))
