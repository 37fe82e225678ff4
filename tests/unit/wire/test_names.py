"""Legal names (protocol §4 Limits)."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockdove.wire import names

LEGAL = string.ascii_letters + string.digits + "._-"


@given(st.text(LEGAL, min_size=1, max_size=64))
def test_1_to_64_of_the_allowed_characters_are_a_name(name: str) -> None:
    assert names.is_name(name)
    assert names.is_device(name)


@given(st.text(max_size=70))
def test_nothing_else_is_a_name(text: str) -> None:
    legal = 1 <= len(text) <= 64 and all(character in LEGAL for character in text)
    assert names.is_name(text) == legal
    assert names.is_device(text) == (legal or not text)


@pytest.mark.parametrize("text", ["", "x" * 65, "a\n", "\na", "a b", "é", "٣", "Ａ", "a\0", "a/b", "@all"])
def test_these_are_no_names(text: str) -> None:
    assert not names.is_name(text)


@given(st.lists(st.one_of(st.text(LEGAL, min_size=1, max_size=65), st.text(max_size=4)), min_size=4, max_size=4))
def test_four_at_once_are_legal_if_each_is(texts: list[str]) -> None:
    org, appkey, user, device = texts
    assert names.are_names(org, appkey, user, device) == all(map(names.is_name, texts))


def test_only_a_device_may_be_empty() -> None:
    assert names.is_device("")
    assert not names.is_device("x" * 65)


@given(st.text(max_size=140))
def test_free_text_is_at_most_128_bytes_without_control_characters(text: str) -> None:
    controls = [chr(code) for code in (*range(32), *range(127, 160))]
    shown = names.display_text(text)
    assert len(shown.encode()) <= 128
    assert not any(c in shown for c in controls)
    without = "".join(c for c in text if c not in controls)
    assert without.startswith(shown)
    assert shown == without or len(shown.encode()) > 124
