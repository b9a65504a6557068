from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from services.simulator.receivers import NAMES, ReceiversError, configured
from tests.simulator.harness import SECRET

if TYPE_CHECKING:
    from pathlib import Path


def test_one_secret_serves_the_nine() -> None:
    receivers = configured(None, SecretStr(SECRET))
    assert list(receivers) == list(NAMES)
    assert receivers["CREDIT_CHINA"].name_zh == "信用中国"
    assert SECRET not in repr(receivers)


def test_built_in_names_need_not_be_repeated(tmp_path: Path) -> None:
    file = tmp_path / "receivers.json"
    file.write_text(json.dumps([{"code": "NCISP", "secret": SECRET}, {"code": "mine", "secret": SECRET}]))
    receivers = configured(file, None)
    assert receivers["NCISP"].name_zh == "全国信用信息共享平台"
    assert (receivers["mine"].name_zh, receivers["mine"].name_en) == ("mine", "mine")


@pytest.mark.parametrize(
    "listed",
    [
        [],
        {},
        [{"code": "A"}],
        [{"code": "A", "secret": SECRET}, {"code": "A", "secret": SECRET}],
        [{"code": "a/b", "secret": SECRET}],
        [{"code": "admin", "secret": SECRET}],
        [{"code": "A", "secret": SECRET[6:]}],
        [{"code": "A", "secret": "whsec_"}],
        [{"code": "A", "secret": "whsec_!"}],
        [{"code": "A", "secret": SECRET, "colour": "red"}],
    ],
)
def test_an_unusable_file_is_refused_without_showing_a_secret(tmp_path: Path, listed: Any) -> None:
    file = tmp_path / "receivers.json"
    file.write_text(json.dumps(listed))
    with pytest.raises(ReceiversError) as caught:
        configured(file, None)
    assert SECRET[6:] not in str(caught.value)


def test_without_file_or_secret_nothing_starts(tmp_path: Path) -> None:
    with pytest.raises(ReceiversError, match="receivers_file"):
        configured(None, None)
    with pytest.raises(ReceiversError, match="whsec_"):
        configured(None, SecretStr("plain"))
    with pytest.raises(ReceiversError, match="can't be read"):
        configured(tmp_path / "missing.json", None)
