"""docker-compose.yml against the code: images, commands, settings, secrets, health checks and confinement."""

from __future__ import annotations

import importlib
import json
import re
import tomllib
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from liancheng.command import COMMANDS
from liancheng.embedded.kafka_properties import MESSAGE_MAX_BYTES
from services.runtime.settings import fields_of, is_secret, prefix_of
from tests import containers
from tests.deploy.compose_file import ROOT, SETTINGS, parsed, seconds, text
from tools import compose_secrets

if TYPE_CHECKING:
    from pathlib import Path

    from services.runtime.settings import ServiceSettings

COMPOSE = parsed()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SERVERS = ("postgres", "kafka")
OURS = tuple(SETTINGS)
every_service = pytest.mark.parametrize("name", SERVICES)
every_one_of_ours = pytest.mark.parametrize("name", OURS)
every_long_running = pytest.mark.parametrize("name", [n for n in SERVICES if n not in {"migrate", "admin"}])


def variables_of(settings_class: type[ServiceSettings]) -> dict[str, bool]:
    """LIANCHENG_* name -> whether it is a secret."""
    prefix = prefix_of(settings_class)
    return {prefix + "__".join(path).upper(): is_secret(field) for path, field in fields_of(settings_class)}


class ReadAsIn(Protocol):
    """The settings that the container of a service reads."""

    def __call__(self, name: str, settings_class: type[ServiceSettings]) -> ServiceSettings: ...


@pytest.fixture
def read_as_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReadAsIn:
    compose_secrets.make(tmp_path / "made")

    def read(name: str, settings_class: type[ServiceSettings]) -> ServiceSettings:
        for variable, value in SERVICES[name].get("environment", {}).items():
            monkeypatch.setenv(variable, str(value))
        mounted = tmp_path / "mounted"
        mounted.mkdir()
        for secret in SERVICES[name]["secrets"]:
            (mounted / secret).write_text((tmp_path / "made" / secret).read_text())
        return settings_class(_secrets_dir=mounted)

    return read


def test_services_and_their_numbers() -> None:
    numbers = {name: service["deploy"].get("replicas", 1) for name, service in SERVICES.items()}
    assert SERVICES["admin"]["profiles"] == ["admin"], "started only when asked for"
    del numbers["admin"]
    assert numbers == {"postgres": 1, "kafka": 1, "migrate": 1, "broker": 2, "publisher": 2, "simulator": 1}


def test_images_are_those_that_the_tests_run_on() -> None:
    assert SERVICES["postgres"]["image"] == containers.POSTGRES_IMAGE == "postgres:18"
    assert SERVICES["kafka"]["image"] == containers.KAFKA_IMAGE == "apache/kafka:4.3.0"
    assert {SERVICES[name]["image"] for name in OURS} == {"liancheng:dev"}
    assert SERVICES["migrate"]["build"] == "."
    assert [name for name in OURS if "build" in SERVICES[name]] == ["migrate"], "one image, built once"
    assert {SERVICES[name]["pull_policy"] for name in OURS} == {"build", "never"}


def test_commands_exist() -> None:
    commands = {name: SERVICES[name].get("command", []) for name in OURS}
    assert commands.pop("admin") == [], "what it runs is given with docker compose run"
    commands["migrate"] = re.findall(r"liancheng (\w+)", commands["migrate"][0])
    assert commands == {
        "migrate": ["migrate", "destination"],
        "broker": ["broker"],
        "publisher": ["publisher"],
        "simulator": ["simulator"],
    }
    for command in chain(*commands.values()):
        assert command in COMMANDS
        assert callable(importlib.import_module(f"liancheng.commands.{command}").run)


@pytest.mark.parametrize(("name", "settings_class"), [(name, one) for name in OURS for one in SETTINGS[name]])
def test_settings_are_valid_and_complete(
    name: str, settings_class: type[ServiceSettings], read_as_in: ReadAsIn
) -> None:
    """Reading them fails where one that is required is missing, or one that is given is not valid."""
    assert read_as_in(name, settings_class).shown()


@every_one_of_ours
def test_nothing_is_named_that_is_no_setting(name: str) -> None:
    known = {variable: secret for one in SETTINGS[name] for variable, secret in variables_of(one).items()}
    environment = set(SERVICES[name].get("environment", {}))
    assert environment <= {variable for variable, secret in known.items() if not secret}

    secrets = {secret for secret in SERVICES[name]["secrets"] if secret.startswith("liancheng_")}
    others = set(SERVICES[name]["secrets"]) - secrets
    assert others == ({"simulator_receivers"} if name == "simulator" else set())
    signing = set(compose_secrets.signing_secrets().values()) if name == "migrate" else set()
    assert secrets >= signing
    assert {secret.upper() for secret in secrets - signing} <= {
        variable for variable, secret in known.items() if secret
    }


def test_each_service_gets_its_own_database_role_alone() -> None:
    urls = {
        name: {secret for secret in SERVICES[name]["secrets"] if secret.endswith("_database_url")}
        for name in OURS
    }
    assert urls["broker"] == {"liancheng_broker_database_url", "liancheng_api_database_url"}
    assert urls["publisher"] == {"liancheng_publisher_database_url"}
    assert urls["simulator"] == set()


def test_secrets_are_files_that_are_generated_and_used(tmp_path: Path) -> None:
    made, _ = compose_secrets.make(tmp_path)
    files = {name: entry["file"] for name, entry in COMPOSE["secrets"].items()}
    assert files == {name: f"deploy/secrets/{name}" for name in made}
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(files)
    assert "/deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_no_secret_is_in_the_file() -> None:
    assert not re.search(r"whsec_|://[^/\s]*:[^/\s]*@", text())
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|_KEY", variable):
                assert variable.endswith("_FILE"), f"{name}: {variable}"
                assert str(value).startswith("/run/secrets/")


@every_service
def test_it_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    user = {"postgres": "postgres", "kafka": "appuser"}.get(name, "10001:10001")
    assert service["user"] == user
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert float(limits["cpus"]) <= 2, "more than a small machine has is refused"
    assert "max-size" in service["logging"]["options"]
    assert set(service["networks"]) <= {"backend", "edge"}
    for volume in service.get("volumes", []):
        assert volume.partition(":")[0] in COMPOSE["volumes"]


@every_service
def test_it_is_published_on_loopback_alone(name: str) -> None:
    published = SERVICES[name].get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert bool(published) == (name in {"broker", "simulator"})
    assert ("edge" in SERVICES[name]["networks"]) == bool(published)
    assert COMPOSE["networks"]["backend"]["internal"] is True


def test_the_published_range_has_a_port_for_each_broker() -> None:
    (port,) = SERVICES["broker"]["ports"]
    match = re.fullmatch(r"127\.0\.0\.1:(\d+)-(\d+):8080", port)
    assert match
    assert int(match[2]) - int(match[1]) + 1 == SERVICES["broker"]["deploy"]["replicas"]


@every_long_running
def test_it_has_a_health_check_and_comes_back(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)
    assert "start_interval" not in check, "needs Docker Engine 25"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_the_health_check_asks_the_port_that_is_listened_on() -> None:
    ports = {
        "broker": "LIANCHENG_API_PORT",
        "publisher": "LIANCHENG_HEALTH_PORT",
        "simulator": "LIANCHENG_SIMULATOR_PORT",
    }
    for name, variable in ports.items():
        *script, port = SERVICES[name]["healthcheck"]["test"]
        assert script == ["CMD", "python", "-IS", "/opt/liancheng/ready.py"]
        assert int(port) == SERVICES[name]["environment"][variable]
    assert "/opt/liancheng/ready.py" in (ROOT / "Dockerfile").read_text()


def test_migrate_runs_once_and_the_others_wait_for_it() -> None:
    for name in ("migrate", "admin"):
        assert SERVICES[name]["restart"] == "no"
        assert "healthcheck" not in SERVICES[name]
    done, healthy = "service_completed_successfully", "service_healthy"
    waits = {
        name: {other: entry["condition"] for other, entry in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    }
    assert waits["migrate"] == {"postgres": healthy}
    assert waits["broker"] == {"postgres": healthy, "kafka": healthy, "migrate": done}
    assert waits["publisher"] == {"postgres": healthy, "migrate": done, "simulator": healthy}


@pytest.mark.parametrize("name", ["broker", "publisher", "simulator"])
def test_a_stop_leaves_time_to_drain(name: str, read_as_in: ReadAsIn) -> None:
    given = read_as_in(name, SETTINGS[name][0]).shown()
    # The broker also lets requests of the API end; the publisher waits as long again for a database.
    longest = {
        "broker": given["drain_seconds"] + given.get("api_drain_seconds", 0),
        "publisher": 2 * given["drain_seconds"],
        "simulator": given["drain_seconds"],
    }[name]
    assert seconds(SERVICES[name]["stop_grace_period"]) > longest


@pytest.mark.parametrize("name", SERVERS)
def test_servers_get_time_to_stop(name: str) -> None:
    assert seconds(SERVICES[name]["stop_grace_period"]) >= 30
    assert name != "postgres" or SERVICES[name]["stop_signal"] == "SIGINT", "SIGTERM waits for clients"


def test_publishers_may_reach_the_backend_and_nothing_else_that_is_private() -> None:
    (subnet,) = COMPOSE["networks"]["backend"]["ipam"]["config"]
    allowed = SERVICES["publisher"]["environment"]["LIANCHENG_WIRE__ALLOWED_NETWORKS"]
    assert json.loads(allowed) == [subnet["subnet"]]


def test_kafka_fits_its_clients() -> None:
    kafka, broker = SERVICES["kafka"]["environment"], SERVICES["broker"]["environment"]
    assert kafka["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{broker['LIANCHENG_KAFKA_BOOTSTRAP']}"
    assert kafka["KAFKA_MESSAGE_MAX_BYTES"] == MESSAGE_MAX_BYTES
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_urls_of_the_secrets_lead_to_the_database_service() -> None:
    for name, value in compose_secrets.fresh().items():
        if name.endswith("_database_url"):
            address = value.rpartition("@")[2]
            assert address == f"postgres:5432/{SERVICES['postgres']['environment']['POSTGRES_DB']}"


def test_destinations_lead_to_the_simulator() -> None:
    (script,) = SERVICES["migrate"]["command"]
    match = re.search(r"destination load (\S+) --base-url http://(\w+):(\d+)$", script.strip())
    assert match
    assert match[2] == "simulator"
    assert int(match[3]) == SERVICES["simulator"]["environment"]["LIANCHENG_SIMULATOR_PORT"]
    (mounted,) = SERVICES["migrate"]["configs"]
    assert mounted["target"] == match[1]
    assert tomllib.loads((ROOT / COMPOSE["configs"][mounted["source"]]["file"]).read_text("utf-8"))
