"""What the documents name exists: commands, options, settings, metrics, endpoints, files, links."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from liancheng import command
from tests.docs.pages import PAGES, README, README_ZH, ROOT, Page
from tests.docs.product import (
    environment_names,
    exposed_metrics,
    log_events,
    make_targets,
    options_of,
    settings_defaults,
    source,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

OPERATIONS = PAGES["docs/operations.md"]
every_page = pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.name)


def invocations(page: Page) -> Iterator[tuple[str, list[str]]]:
    """(subcommand, words after it) of every `liancheng …` in the page's code."""
    for line in page.commands:
        for part in re.split(r"[;|&]", line):
            words = part.split("#")[0].split()
            named = [at for at, word in enumerate(words) if word.rpartition("/")[2] == "liancheng"]
            for at in named:
                if words[at + 1 :] and words[at + 1].islower():
                    yield words[at + 1], words[at + 2 :]


@every_page
def test_commands_and_their_options_exist(page: Page) -> None:
    for name, words in invocations(page):
        if name.startswith("-"):
            assert name in command.usage(), name
            continue
        assert name in command.COMMANDS, f"liancheng {name}"
        verbs, options = options_of(name)
        verb = next((word for word in words if not word.startswith("-")), None)
        if verbs and verb and re.fullmatch(r"[a-z]+", verb):
            assert verb in verbs, f"liancheng {name} {verb}"
            _, options = options_of(name, verb)
        for option in (word.partition("=")[0] for word in words if word.startswith("--")):
            assert option in options, f"liancheng {name} {verb or ''} {option}"


@every_page
def test_make_targets_and_their_variables_exist(page: Page) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for line in page.commands:
        for target, rest in re.findall(r"(?:^|; |&& )make ([a-z][a-z-]*)(.*)", line):
            assert target in make_targets(), line
            for variable in re.findall(r"\b([A-Z]+)=", rest):
                assert f"$({variable})" in makefile or f"$(filter-out 0,$({variable}))" in makefile, line


@every_page
def test_variables_exist(page: Page) -> None:
    named = set(re.findall(r"LIANCHENG_[A-Z0-9_]*[A-Z0-9]", page.text))
    assert named <= environment_names(), named - environment_names()


@every_page
def test_relative_links_and_anchors_resolve(page: Page) -> None:
    folder = (ROOT / page.name).parent
    for link in page.links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (folder / path).resolve() if path else ROOT / page.name
        assert target.exists(), link
        if anchor:
            anchors = {heading.anchor for heading in PAGES[str(target.relative_to(ROOT))].headings}
            assert anchor in anchors, link


@every_page
def test_files_named_in_code_exist(page: Page) -> None:
    folders = "services|schemas|liancheng|tests|bench|tools|deploy|docs"
    words = chain.from_iterable(line.split() for line in page.commands)
    for word in (word for word in words if re.fullmatch(rf"(?:{folders})/[\w./*-]*", word)):
        if word == "deploy/secrets/":
            continue  # made by `make compose-secrets`
        assert list(ROOT.glob(word.rstrip("/"))), word
    for line in page.commands:
        for module in re.findall(r"python -m ([\w.]+)", line):
            assert importlib.util.find_spec(module), line


@every_page
def test_codes_and_states_occur_in_the_source(page: Page) -> None:
    shouted = {word for word in page.inline if re.fullmatch(r"(?!LIANCHENG_|HTTP_)[A-Z][A-Z0-9_]{3,}", word)}
    unknown = {word for word in shouted if not re.search(rf"\b{word}\b", source())}
    assert not unknown


@cache
def openapi() -> dict[str, set[str]]:
    """Path template → names of its query parameters."""
    document = orjson.loads((ROOT / "schemas" / "openapi.json").read_bytes())
    return {
        path: {p["name"] for p in operations["get"].get("parameters", ()) if p["in"] == "query"}
        for path, operations in document["paths"].items()
    }


@every_page
def test_endpoints_and_their_parameters_exist(page: Page) -> None:
    for line in page.commands:
        for address in re.findall(r"(?:GET |\$API)(/v1[^\s\"'`]*)", line):
            path, _, query = address.partition("?")
            known = [
                parameters
                for template, parameters in openapi().items()
                if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
                or path.startswith("/v1/catalogue/")
            ]
            assert known, address
            asked = {part.partition("=")[0] for part in query.split("&") if part}
            assert asked <= set().union(*known), address


@every_page
def test_tables_are_whole(page: Page) -> None:
    for table in page.tables:
        assert len({len(row) for row in table}) == 1, table[0]
    assert page.text.count("```") == 2 * len(page.fenced)


def test_both_readmes_say_the_same() -> None:
    english, chinese = PAGES[README], PAGES[README_ZH]
    assert [h.level for h in english.headings] == [h.level for h in chinese.headings]
    assert english.fenced == chinese.fenced
    assert set(english.links) - {README_ZH} == set(chinese.links) - {README}
    assert len(english.tables) == len(chinese.tables)
    for ours, theirs in zip(english.tables, chinese.tables, strict=True):
        assert [row[1:] for row in ours[1:]] == [row[1:] for row in theirs[1:]]
    for mark in ("\n**", "\n- **"):
        assert english.text.count(mark) == chinese.text.count(mark)


def test_every_metric_is_explained_and_every_one_explained_exists() -> None:
    rows = OPERATIONS.table("metric")
    explained = {name: row[1] for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert explained.keys() == exposed_metrics().keys()
    for name, labels in explained.items():
        assert {label for label in labels.split(", ") if label} == exposed_metrics()[name], name


def test_defaults_are_the_true_ones() -> None:
    for setting, default, *_ in OPERATIONS.table("setting"):
        assert settings_defaults()[setting.strip("`")] == float(default.replace(",", "")), setting


def test_words_of_the_log_are_logged() -> None:
    words = {word for row in OPERATIONS.table("log event") for word in re.findall(r"`(\w+)`", row[0])}
    assert words
    assert words <= log_events(), words - log_events()


def test_there_is_something_to_check() -> None:
    """Should the reading of pages break, the tests above would pass by finding nothing."""
    readme = PAGES[README]
    assert len(list(invocations(readme))) >= 3
    assert {name for page in PAGES.values() for name, _ in invocations(page)} >= set(command.COMMANDS) - {
        "demo",
        "simulator",
    }
    assert len(readme.tables[0]) > 10
    assert any(link.endswith(".py") for link in readme.links)
    assert sum("/v1/" in line for page in PAGES.values() for line in page.commands) > 20


def test_no_page_shows_a_path_of_the_machine_it_was_written_on() -> None:
    for page in PAGES.values():
        assert str(ROOT) not in page.text
        assert f"{Path.home()}/" not in page.text
