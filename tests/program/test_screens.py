"""The screens of docs/cronjob.md are what is seen."""

from tests.program.screens import PAGE, screens
from tests.verification.screens import marks, page_with


def test_the_screens_are_current():
    """`make screens` takes them anew; no line of them is longer than the terminal is wide."""
    taken = screens()
    page = PAGE.read_text("utf-8")
    assert page == page_with(taken, PAGE)
    for name, text in taken.items():
        assert all(page.count(mark) == 1 for mark in marks(name))
        assert max(len(line) for line in text.splitlines()[1:]) <= 80
