"""The screens in the documentation are what is seen."""

from tests.verification.screens import PAGE, marks, page_with, screens


def test_the_screens_are_current():
    """`make screens` takes them anew; no line of them is longer than the terminal is wide."""
    taken = screens()
    assert PAGE.read_text("utf-8") == page_with(taken)
    page = PAGE.read_text("utf-8")
    for name, text in taken.items():
        assert all(page.count(mark) == 1 for mark in marks(name))
        assert max(len(line) for line in text.splitlines()[1:]) <= 80
