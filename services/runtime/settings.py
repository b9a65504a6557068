"""Settings: named, with unit and reason, from the environment or the command line, validated at start.

Every field of a settings class is one setting: `LIANCHENG_<NAME>` in the environment, a file of that name
(lower case) in the secrets folder, or `--<name>` on the command line, which wins. `--help` shows them all.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic.fields import FieldInfo

PREFIX = "LIANCHENG_"
_NESTED = "__"
_SECRETS = Path(os.environ.get("LIANCHENG_SECRETS_DIR", "/run/secrets"))

S = TypeVar("S", bound="ServiceSettings")


class ServiceSettings(BaseSettings):
    """Base of every settings class."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=_NESTED,
        extra="ignore",
        frozen=True,
        secrets_dir=_SECRETS if _SECRETS.is_dir() else None,
    )

    def shown(self) -> dict[str, Any]:
        """All settings as plain values for the log and `/v1/settings`; secrets as asterisks."""
        return self.model_dump(mode="json")


def named_secret(variable: str) -> str:
    """A secret that is no setting: `variable` of the environment, or the file of that name (lower case) in
    the secrets folder; empty if there is neither. OSError if the file can't be read.
    """
    file = _SECRETS / variable.lower()
    return os.environ.get(variable) or (file.read_text("utf-8").strip() if file.is_file() else "")


def is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr or SecretStr in get_args(field.annotation)


def prefix_of(settings_class: type[ServiceSettings]) -> str:
    return settings_class.model_config.get("env_prefix") or PREFIX


def parser_for(settings_class: type[ServiceSettings], prog: str, description: str) -> argparse.ArgumentParser:
    """A command line with one option per setting; those of a nested model are `--<name>-<member>`."""
    parser = argparse.ArgumentParser(
        prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    prefix = prefix_of(settings_class)
    group = parser.add_argument_group(
        "settings", f"each also as {prefix}<NAME> in the environment, or as a file of that name in {_SECRETS}"
    )
    for path, field in fields_of(settings_class):
        default = "" if field.is_required() else field.get_default(call_default_factory=True)
        shown = "required" if field.is_required() else f"default: {default!s}"
        variable = prefix + _NESTED.join(path).upper()
        help_text = f"{field.description or ''} [{shown}; {variable}]".replace("%", "%%")
        option = "--" + "-".join(path).replace("_", "-")
        if is_secret(field):
            # A secret on a command line is readable by everybody on the machine.
            help_text += " Only by environment or file."
            group.add_argument(option, dest=_NESTED.join(path), nargs=0, help=help_text, action=_NoSecret)
        else:
            group.add_argument(option, dest=_NESTED.join(path), metavar="VALUE", help=help_text)
    return parser


def fields_of(model: type[BaseModel]) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """All settings with their path: one name, or the names of a nested model and its member."""
    for name, field in model.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            yield from (((name, *path), member) for path, member in fields_of(nested))
        else:
            yield (name,), field


class _NoSecret(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        parser.error(f"{self.dest} is a secret: give it in the environment or as a file, never here")


def read_settings(settings_class: type[S], prog: str, description: str, argv: Sequence[str]) -> S:
    """Read the settings; a wrong one ends the process with exit code 2 and the reason for each."""
    parser = parser_for(settings_class, prog, description)
    given: dict[str, Any] = {}
    for name, value in vars(parser.parse_args(argv)).items():
        if value is not None:
            *outer, last = name.split(_NESTED)
            level = given
            for part in outer:
                level = level.setdefault(part, {})
            # As in the environment: lists are written as JSON.
            level[last] = json.loads(value) if value[:1] in {"[", "{"} else value
    return settings_from(settings_class, parser, given)


def settings_from(settings_class: type[S], parser: argparse.ArgumentParser, given: dict[str, Any]) -> S:
    prefix = prefix_of(settings_class)
    try:
        return settings_class(**given)
    except ValidationError as error:
        lines = [
            f"  {prefix}{_NESTED.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
            for problem in error.errors(include_input=False)
        ]
        parser.error("\n".join(["settings are not valid:", *lines]))
