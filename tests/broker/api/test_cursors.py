from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.broker.api.cursors import read_cursor, write_cursor
from services.broker.api.errors import ProblemError
from services.broker.api.tokens import new_token, read_token

numbers = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=3)


@given(of_list=st.text(), values=numbers)
def test_a_cursor_is_read_back_in_its_own_list_only(of_list: str, values: list[int]) -> None:
    cursor = write_cursor(of_list, *values)
    assert read_cursor(cursor, of_list, len(values)) == tuple(values)
    for other, count in ((of_list + "x", len(values)), (of_list, len(values) + 1)):
        with pytest.raises(ProblemError, match="not one that this list"):
            read_cursor(cursor, other, count)


@given(values=numbers, position=st.integers(0, 200), replacement=st.characters())
def test_a_changed_cursor_is_none(values: list[int], position: int, replacement: str) -> None:
    cursor = write_cursor("feed:SA08", *values)
    at = position % len(cursor)
    changed = cursor[:at] + replacement + cursor[at + 1 :]
    if changed != cursor:
        with pytest.raises(ProblemError) as refused:
            read_cursor(changed, "feed:SA08", len(values))
        assert (refused.value.status, refused.value.code) == (422, "E_CURSOR")


@given(st.text())
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ProblemError):
        read_cursor(text, "feed:SA08", 2)


def test_a_token_is_read_back_and_its_secret_has_256_bits() -> None:
    tokens = [new_token() for _ in range(200)]
    assert {read_token(token.text()) for token in tokens} == set(tokens)
    assert {len(token.secret) for token in tokens} == {43}
    assert any("_" in token.secret for token in tokens), "the separator may stand in a secret"


@given(st.text())
def test_what_is_no_token_is_none(text: str) -> None:
    assert read_token(text) is None
    assert read_token("lck_" + text) is None
