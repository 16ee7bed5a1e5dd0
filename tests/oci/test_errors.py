"""What a message quotes of foreign text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.oci import InvalidValueError, quoted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("latest", "'latest'"),
        ("", "''"),
        ("a\nb\x00\x7f", r"'a\nb\x00\x7f'"),
        ("bidi \u202e, snow \u2603, \U0001f40b", r"'bidi \u202e, snow \u2603, \U0001f40b'"),
        ("\ud800", r"'\ud800'"),
        ("it's", '"it\'s"'),
        (None, "None"),
        (12, "12"),
        (["a", 1], "['a', 1]"),
    ],
)
def test_foreign_text_is_quoted_as_printable_ascii(text: object, shown: str):
    """Control characters, other scripts and lone surrogates are escaped."""
    assert quoted(text) == shown


def test_quote_of_80_characters_is_whole():
    """78 characters and the quotes fit."""
    assert quoted("a" * 78) == "'" + "a" * 78 + "'"


def test_longer_quote_is_cut_to_80_characters():
    """The cut is marked, and the closing quote stays."""
    assert quoted("a" * 79) == "'" + "a" * 75 + "...'"


def test_long_list_is_cut_to_80_characters():
    """What is no string is cut, too, and keeps its closing bracket."""
    assert quoted(list(range(1000))) == (
        "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 2...]"
    )


def test_value_nested_too_deep_to_be_shown_is_said_to_be_so():
    """Where Python itself would give up with a RecursionError."""
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert quoted(nested) == "a list nested too deep"


@given(st.text())
def test_any_quote_is_one_short_line_of_printable_ascii(text: str):
    """No text gets through raw."""
    shown = quoted(text)
    assert (len(shown) <= 80, shown.isascii(), shown.isprintable()) == (True, True, True)


def test_refusal_is_a_value_error():
    """A caller that knows only Python's own errors can catch it."""
    assert issubclass(InvalidValueError, ValueError)
