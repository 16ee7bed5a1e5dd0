"""The table of docs/metrics.md says what the collectors promise."""

import re

from tests.program.test_metrics import described
from tools import metrics


def test_the_page_is_current():
    """`make metrics` writes its table anew, and nothing else of it."""
    text = metrics.PAGE.read_text("utf-8")
    assert metrics.page(text) == text


def test_the_table_has_every_metric():
    """Each has a row, with a link to what the page tells of it, its type and its labels."""
    row = re.compile(r"\| \[`(\w+)`\]\(#(\w+)\) \| (\w+) \| ([^|]*) \| [^|]+ \|")
    rows = [row.fullmatch(line) for line in metrics.table().splitlines()[2:]]
    told = {
        found[1]: (found[3], tuple(re.findall(r"`(\w+)`", found[4]))) for found in rows if found is not None
    }
    assert told == described()
    assert len(rows) == len(told)
    assert all(found is not None and found[1] == found[2] for found in rows)
    headings = re.findall(r"(?m)^### `(\w+)`$", metrics.PAGE.read_text("utf-8"))
    assert sorted(headings) == sorted(told)
