"""What stands in the documentation is what is seen."""

from tests.deletion.screens import PAGE, screens
from tests.verification.screens import marks, page_with


def test_the_screens_are_current():
    """`make screens` takes them anew; no line of the table is longer than the terminal is wide."""
    taken = screens()
    page = PAGE.read_text("utf-8")
    assert page == page_with(taken, PAGE)
    assert all(page.count(mark) == 1 for name in taken for mark in marks(name))
    assert max(len(line) for line in taken["table"].splitlines()[1:]) <= 80
