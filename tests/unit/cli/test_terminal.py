"""Foreign text can't do anything to the terminal that shows it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockdove.cli.terminal import pad, printable, printable_lines, shorten, width


@given(st.text(st.characters(categories=None)))
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    for shown in (printable(text), *printable_lines(text)):
        assert not [character for character in shown if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")]
        assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@pytest.mark.parametrize(
    ("attack", "shown"),
    [
        ("\x1b[2J\x1b[31mred", "␛[2J␛[31mred"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("\x9b31m", "\ufffd31m"),
        ("mine\rtheirs", "mine␍theirs"),
        ("a\nb\r\nc", "a↵b↵c"),
        ("a\u2028b", "a↵b"),
        ("abc\u202egnp.exe", "abc\ufffdgnp.exe"),
        ("\x08\x7f", "␈␡"),
        ("a\tb", "a    b"),
    ],
)
def test_attacks_become_visible(attack: str, shown: str) -> None:
    assert printable(attack) == shown


@pytest.mark.parametrize("text", ["你好", "👩‍👩‍👧‍👦 👍🏽", "שלום", "e\u0301", "नमस्ते"])
def test_other_writing_is_left_alone(text: str) -> None:
    assert printable(text) == text


def test_lines_are_kept_apart() -> None:
    assert printable_lines("one\r\ntwo\n\x1b[A") == ["one", "two", "␛[A"]


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("你好", 4), ("😀", 2), ("e\u0301", 1), ("👩‍👩‍👧‍👦", 2), ("", 0)])
def test_width_is_in_columns(text: str, columns: int) -> None:
    assert width(text) == columns
    assert width(pad(text, 10)) == 10


@given(st.text(st.sampled_from("ab你好😀")), st.integers(1, 12))
def test_a_shortened_text_fits_and_says_that_it_is_shortened(text: str, columns: int) -> None:
    short = shorten(text, columns)
    assert width(short) <= columns
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))
    assert (short == text) == (width(text) <= columns)
