"""Who receives: the nine stand-ins by default, or whoever a file names."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError, field_validator

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "CREDIT_CHINA": ("信用中国", "Credit China"),
    "NCISP": ("全国信用信息共享平台", "National Credit Information Sharing Platform"),
    "CREDIT_CHANGZHOU": ("信用常州", "Credit Changzhou"),
    "JS_PCIS": ("江苏省公共信用信息系统", "Jiangsu Public Credit Information System"),
    "CZ_PCIS": ("常州市公共信用信息系统", "Changzhou Public Credit Information System"),
    "LAND_AGENCY": ("自然资源主管部门", "Land and natural resources agency"),
    "TAX_AGENCY": ("税务机关", "Tax agency"),
    "BANK_AGENCY": ("银行业金融机构", "Banking institutions"),
    "PROCUREMENT_AGENCY": ("政府采购监管部门", "Government procurement regulator"),
}
"""code → (中文, English)."""

KEY_BYTES: Final = range(24, 65)
RESERVED: Final = frozenset({"admin", "livez", "readyz"})
"""First path segments that the simulator itself answers."""


class ReceiversError(Exception):
    """The receivers can't be had from the settings; the message says why and never shows a secret."""


class Receiver(BaseModel):
    """One stand-in: where pushes arrive (`POST /{code}`), what it is called, and its signing secret."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    name_zh: str = ""
    name_en: str = ""
    secret: SecretStr

    @field_validator("code")
    @classmethod
    def _not_reserved(cls, code: str) -> str:
        if code in RESERVED:
            raise ValueError(f"{code!r} is a path of the simulator itself")
        return code

    @field_validator("secret")
    @classmethod
    def _usable(cls, secret: SecretStr) -> SecretStr:
        """Standard Webhooks, "Signature scheme": `whsec_` and the base64 of 24 to 64 random bytes."""
        prefix, _, encoded = secret.get_secret_value().partition("_")
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError:
            key = b""
        if prefix != "whsec" or len(key) not in KEY_BYTES:
            raise ValueError("a secret is whsec_ and the base64 of 24 to 64 bytes")
        return secret


def named(code: str, secret: SecretStr) -> Receiver:
    """The built-in receiver `code` with this secret."""
    name_zh, name_en = NAMES[code]
    return Receiver(code=code, name_zh=name_zh, name_en=name_en, secret=secret)


def from_file(path: Path) -> list[Receiver]:
    """Read a JSON list of `{code, name_zh, name_en, secret}`; built-in names may be left out."""
    try:
        listed = TypeAdapter(list[Receiver]).validate_json(path.read_bytes())
    except OSError as error:
        raise ReceiversError(f"receivers file can't be read: {error.strerror}: {path}") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}"
            for e in error.errors(include_input=False, include_url=False, include_context=False)
        )
        raise ReceiversError(f"receivers file {path}: {problems}") from None
    codes = [receiver.code for receiver in listed]
    if not codes or len(set(codes)) != len(codes):
        raise ReceiversError(f"receivers file {path}: needs at least one receiver, and each code once")
    return [_with_names(receiver) for receiver in listed]


def _with_names(receiver: Receiver) -> Receiver:
    name_zh, name_en = NAMES.get(receiver.code, (receiver.code, receiver.code))
    return receiver.model_copy(
        update={"name_zh": receiver.name_zh or name_zh, "name_en": receiver.name_en or name_en}
    )


def configured(file: Path | None, secret: SecretStr | None) -> dict[str, Receiver]:
    """The receivers by code: those of the file, or else the nine with one shared secret.

    Raises ReceiversError when there is neither file nor secret, or the file is not usable.
    """
    if file is not None:
        return {receiver.code: receiver for receiver in from_file(file)}
    if secret is None:
        raise ReceiversError("set receivers_file (a secret for each receiver) or secret (one for all nine)")
    try:
        return {code: named(code, secret) for code in NAMES}
    except ValidationError:
        raise ReceiversError("secret: needs whsec_ and the base64 of 24 to 64 bytes") from None
