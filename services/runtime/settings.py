"""Settings: named, with unit and reason, from the environment or the command line, validated at start.

Every field of a settings class is one setting: `LIANCHENG_<NAME>` in the environment, a file of that name
(lower case) in the secrets folder, or `--<name>` on the command line, which wins. `--help` shows them all.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic.fields import FieldInfo

PREFIX = "LIANCHENG_"
_SECRETS = Path(os.environ.get("LIANCHENG_SECRETS_DIR", "/run/secrets"))

S = TypeVar("S", bound="ServiceSettings")


class ServiceSettings(BaseSettings):
    """Base of every settings class."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="ignore",
        frozen=True,
        secrets_dir=_SECRETS if _SECRETS.is_dir() else None,
    )

    def shown(self) -> dict[str, Any]:
        """All settings as plain values for the log and `/v1/settings`; secrets as asterisks."""
        return self.model_dump(mode="json")


def is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr or SecretStr in get_args(field.annotation)


def parser_for(settings_class: type[ServiceSettings], prog: str, description: str) -> argparse.ArgumentParser:
    """A command line with one option per setting; booleans take true or false."""
    parser = argparse.ArgumentParser(
        prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    group = parser.add_argument_group(
        "settings", f"each also as {PREFIX}<NAME> in the environment, or as a file of that name in {_SECRETS}"
    )
    for name, field in settings_class.model_fields.items():
        default = "" if field.is_required() else field.get_default(call_default_factory=True)
        shown = "required" if field.is_required() else f"default: {default!s}"
        help_text = f"{field.description or ''} [{shown}; {PREFIX}{name.upper()}]".replace("%", "%%")
        if is_secret(field):
            # A secret on a command line is readable by everybody on the machine.
            help_text += " Only by environment or file."
            group.add_argument(f"--{name.replace('_', '-')}", dest=name, help=help_text, action=_NoSecret)
        else:
            group.add_argument(
                f"--{name.replace('_', '-')}", dest=name, metavar="VALUE", default=None, help=help_text
            )
    return parser


class _NoSecret(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        parser.error(f"{self.dest} is a secret: give it as {PREFIX}{self.dest.upper()} or as a file")


def read_settings(settings_class: type[S], prog: str, description: str, argv: Sequence[str]) -> S:
    """Read the settings; a wrong one ends the process with exit code 2 and the reason for each."""
    parser = parser_for(settings_class, prog, description)
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    return settings_from(settings_class, parser, given)


def settings_from(settings_class: type[S], parser: argparse.ArgumentParser, given: dict[str, Any]) -> S:
    try:
        return settings_class(**given)
    except ValidationError as error:
        lines = [
            f"  {PREFIX}{'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
            for problem in error.errors(include_input=False)
        ]
        parser.error("\n".join(["settings are not valid:", *lines]))
