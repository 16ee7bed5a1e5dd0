"""The registry's own limit."""

import pytest

from bench.hey import NoRate, limit, parse_rate
from bench.shape import RequestKind

OUTPUT = """
Summary:
  Total:	0.0186 secs
  Requests/sec:	1073.5395

Status code distribution:
  [200]	20 responses
"""


def test_the_rate_is_read_off():
    """Where all answers had the status that they should have."""
    assert parse_rate(OUTPUT, "200") == 1073.5395


@pytest.mark.parametrize(
    "output",
    [
        OUTPUT.replace("[200]", "[404]"),
        OUTPUT + "  [404]	1 responses\n",
        OUTPUT + "\nError distribution:\n  [1]	connection refused\n",
        "",
    ],
    ids=["another status", "two statuses", "errors", "nothing"],
)
def test_any_other_answer_spoils_it(output: str):
    """A registry is quick to say no."""
    with pytest.raises(NoRate):
        parse_rate(output, "200")


def test_the_limit_of_a_mix_is_its_requests_over_their_time():
    """Kinds that were not measured, the listings, are reckoned as tags."""
    floor = {RequestKind.PAGE: 10, RequestKind.TAG: 90, RequestKind.LAST_BYTE: 100}
    rates = {RequestKind.TAG: 100.0, RequestKind.LAST_BYTE: 50.0}
    assert limit(floor, rates) == pytest.approx(200 / 3)
