from __future__ import annotations

import tomllib
from pathlib import Path

import schemas.catalogue
from schemas.codes import Code, Finding


def test_every_code_has_texts_in_both_languages_and_no_text_lacks_its_code() -> None:
    (folder,) = schemas.catalogue.__path__
    texts = tomllib.loads(Path(folder, "codes.toml").read_text("utf-8"))["codes"]
    assert texts.keys() == set(Code)
    for code in Code:
        assert code.text("zh").strip()
        assert code.text("en").isascii()


def test_a_code_is_its_own_value_and_says_whether_it_only_warns() -> None:
    assert all(code.name == code.value for code in Code)
    assert {code for code in Code if code.warns} == {code for code in Code if code.startswith("W_")}
    assert not Code.E_SCHEMA.warns


def test_a_finding_moves_and_shows_all_its_parts() -> None:
    found = Finding(Code.E_USCC_CHECKSUM, value="91150303M0000B0270", expected="F").at("data.enterprise.uscc")
    assert found.as_dict() == {
        "code": "E_USCC_CHECKSUM",
        "field": "data.enterprise.uscc",
        "value": "91150303M0000B0270",
        "expected": "F",
    }
