"""The page that says what is detected says what happens."""

from tests.integrity.detection import BEGIN, END, PAGE, page_with, table


def test_the_table_of_what_is_detected_is_current():
    """`make detection` writes it anew."""
    assert PAGE.read_text("utf-8") == page_with(table())


def test_the_table_has_no_empty_cell_and_no_maybe():
    """Each damage is either told exactly or said not to be seen."""
    written = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    cells = [cell.strip() for line in written.strip().splitlines() for cell in line.strip("|").split("|")]
    assert len(cells) > 200
    assert all(cells)
    assert "sometimes" not in written
