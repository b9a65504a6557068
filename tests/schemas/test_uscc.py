from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.codes import Code
from schemas.uscc import ALPHABET, check_character, normalise_uscc, read_uscc

VECTORS: dict[str, Any] = json.loads(
    Path(__file__).parents[1].joinpath("vectors", "uscc.json").read_text("utf-8")
)
WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)

bodies = st.text(ALPHABET, min_size=17, max_size=17)


def codes(text: str) -> set[Code]:
    return {finding.code for finding in read_uscc(text).findings}


def warned(text: str) -> set[Code]:
    return {finding.code for finding in read_uscc(text).warnings}


def valid(body: str) -> str:
    """A code by the table of GB 32100-2015 as printed, independent of the module's arithmetic."""
    total = sum(weight * ALPHABET.index(character) for weight, character in zip(WEIGHTS, body, strict=True))
    return body + ALPHABET[(31 - total % 31) % 31]


@pytest.mark.parametrize("code", VECTORS["valid"])
def test_valid_vectors_pass_both_checks_without_a_word(code: str) -> None:
    assert read_uscc(code) == (code, True, (), ())


@pytest.mark.parametrize("text", VECTORS["invalid"])
def test_invalid_vectors_are_refused_or_valid_only_after_normalising(text: str) -> None:
    reading = read_uscc(text)
    assert not reading.valid or warned(text) == {Code.W_USCC_NORMALISED}
    assert reading.valid == (text in VECTORS["notes"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("111111111111111111", {Code.E_USCC_CHECKSUM}),
        ("91150303M0000B0270", {Code.E_USCC_CHECKSUM}),
        ("91150303M0000B027I", {Code.E_USCC_ALPHABET}),
        ("91150303M0000B02", {Code.E_USCC_LENGTH}),
        ("91150303M0000B0O", {Code.E_USCC_LENGTH, Code.E_USCC_ALPHABET}),
        ("", {Code.E_USCC_LENGTH}),
        ("9" * 100_000, {Code.E_USCC_LENGTH}),
        ("九一一五零三零三", {Code.E_USCC_LENGTH, Code.E_USCC_ALPHABET}),
    ],
)
def test_all_that_is_wrong_is_named_and_the_checksum_only_where_it_can_be_computed(
    text: str, expected: set[Code]
) -> None:
    assert codes(text) == expected


def test_what_was_expected_is_said_and_never_put_in() -> None:
    (finding,) = read_uscc("91150303M0000B0270").findings
    assert finding.expected == "F"
    (finding,) = read_uscc("9115O303M0000B027F").findings
    assert (finding.code, finding.expected) == (Code.E_USCC_ALPHABET, "91150303M0000B027F")
    assert read_uscc("9115O303M0000B027F").code == "9115O303M0000B027F"


@given(bodies)
def test_the_check_character_is_the_standards(body: str) -> None:
    assert body + check_character(body) == valid(body)
    assert read_uscc(valid(body)).valid


@given(bodies, st.integers(0, 17), st.sampled_from(ALPHABET))
def test_every_single_substitution_is_detected(body: str, at: int, other: str) -> None:
    code = valid(body)
    assume(code[at] != other)
    assert not read_uscc(code[:at] + other + code[at + 1 :]).valid


@given(bodies, st.integers(0, 16))
def test_every_adjacent_transposition_is_detected(body: str, at: int) -> None:
    code = valid(body)
    assume(code[at] != code[at + 1])
    assert not read_uscc(code[:at] + code[at + 1] + code[at] + code[at + 2 :]).valid


def test_all_substitutions_and_transpositions_of_the_vectors_are_detected() -> None:
    for code in VECTORS["valid"]:
        for at in range(18):
            wrong = [code[:at] + other + code[at + 1 :] for other in ALPHABET if other != code[at]]
            if at < 17 and code[at] != code[at + 1]:
                wrong.append(code[:at] + code[at + 1] + code[at] + code[at + 2 :])
            assert not any(read_uscc(text).valid for text in wrong)


@given(
    st.sampled_from(VECTORS["valid"]),
    st.lists(st.tuples(st.integers(0, 18), st.sampled_from(" -\t　‐—\u200b\ufeff")), max_size=5),
    st.booleans(),
    st.booleans(),
)
def test_width_case_spaces_and_hyphens_are_normalised_and_reported(
    code: str, marks: list[tuple[int, str]], wide: bool, lower: bool
) -> None:
    text = code.lower() if lower else code
    if wide:
        text = "".join(chr(ord(character) + 0xFEE0) for character in text)
    for at, mark in marks:
        text = text[:at] + mark + text[at:]
    reading = read_uscc(text)
    assert (reading.code, reading.valid) == (code, True)
    assert (Code.W_USCC_NORMALISED in warned(text)) == (text != code)
    assert normalise_uscc(text) == code


@given(st.text(max_size=40))
def test_any_text_gets_a_reading_and_normalising_settles(text: str) -> None:
    reading = read_uscc(text)
    assert reading.valid == (not reading.findings)
    assert normalise_uscc(normalise_uscc(text)) == normalise_uscc(text)


def test_a_failed_inner_check_only_warns() -> None:
    code = valid("91150303M0000B0A7")
    assert read_uscc(code).valid
    assert warned(code) == {Code.W_USCC_INNER_CHECK}
    (finding,) = read_uscc(code).warnings
    assert finding.expected is not None


def identity_number(check: int) -> str:
    """A text in the form of a resident's number, made up, whose 18th character passes as a USCC's."""
    for serial in range(1000):
        body = f"11010119900307{serial:03d}"
        if valid(body)[-1] == ALPHABET[check]:
            return valid(body)
    raise AssertionError


def test_a_code_like_an_identity_number_is_warned_about_and_never_repeated() -> None:
    passes = identity_number(7)
    assert read_uscc(passes).valid
    fails = passes[:-1] + "5"
    for text in (passes, fails, passes[:6] + " " + passes[6:]):
        assert Code.W_USCC_LOOKS_LIKE_ID in warned(text)
        said = (*read_uscc(text).findings, *read_uscc(text).warnings)
        assert all(finding.value is None for finding in said)
        assert all(passes[:-1] not in str(finding.expected) for finding in said)


@pytest.mark.parametrize("code", ["911100001000044477", "914403001922038216", "11010119901332001X"])
def test_digits_that_hold_no_date_of_birth_are_no_identity_number(code: str) -> None:
    assert Code.W_USCC_LOOKS_LIKE_ID not in warned(code)
